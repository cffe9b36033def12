import { observationsOf } from '@enerchain/link';
import { derivedMrid } from '@enerchain/model';
import { json, runService, type Service, type ServiceOptions } from '@enerchain/service';

export async function runMean(where: Pick<ServiceOptions, 'dataDir' | 'centre' | 'logger'>): Promise<Service> {
  const point = { mRID: derivedMrid('mean', 'values', 'mean'), name: 'Mean of all values', kind: 'analog' } as const;
  const last = new Map<string, number>();
  const mean = () => [...last.values()].reduce((sum, value) => sum + value / last.size, 0);
  const service = await runService({
    ...where,
    name: 'mean',
    software: 'mean 1.0.0',
    routes: { prefix: '/services/mean', answer: () => json(200, { mean: mean(), points: last.size }) },
    onRecord: async ({ source, content }, service) => {
      if (source === 'mean' || content.kind !== 'observations') return;
      for (const { point, value } of observationsOf(content.batch))
        if (typeof value === 'number') last.set(point, value);
      await service.observe([{ point: point.mRID, value: mean() }]);
    },
  });
  const binding = { point: point.mRID, endpoint: 'values', address: 'mean', access: 'read' } as const;
  const endpoints = [{ id: 'values', protocol: 'calculation' }];
  service.announce({ site: { id: 'mean', name: 'Mean' }, endpoints, points: [point], bindings: [binding] });
  return service;
}
