import fc from 'fast-check';
import { BUS_TYPE, branchTable, busTable } from '../src/powerflow/case.ts';

/** A connected grid: a random tree with some meshes, bus 0 the slack. */
export const randomCase = fc
  .record({
    size: fc.integer({ min: 2, max: 25 }),
    seed: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 200, maxLength: 200 }),
    meshes: fc.integer({ min: 0, max: 6 }),
  })
  .map(({ size, seed, meshes }) => {
    let at = 0;
    const random = () => seed[at++ % seed.length]!;
    const pairs: [number, number][] = [];
    for (let i = 1; i < size; i++) pairs.push([Math.floor(random() * i), i]);
    for (let k = 0; k < meshes; k++) {
      const [a, b] = [Math.floor(random() * size), Math.floor(random() * size)];
      if (a < size && b < size && a !== b) pairs.push([a, b]);
    }
    const buses = busTable(size);
    const branches = branchTable(pairs.length);
    buses.type[0] = BUS_TYPE.slack;
    buses.vm[0] = 1.02;
    for (let i = 1; i < size; i++) {
      buses.p[i] = (random() - 0.6) * 0.05;
      buses.q[i] = (random() - 0.6) * 0.03;
      buses.bs[i] = random() * 0.01;
    }
    pairs.forEach(([from, to], k) => {
      branches.from[k] = Math.min(from, size - 1);
      branches.to[k] = Math.min(to, size - 1);
      branches.r[k] = 0.01 + random() * 0.03;
      branches.x[k] = 0.02 + random() * 0.05;
      branches.bFrom[k] = random() * 0.01;
      branches.bTo[k] = branches.bFrom[k]!;
      branches.gFrom[k] = random() * 0.001;
      branches.ratio[k] = 0.97 + random() * 0.06;
      branches.shift[k] = k % 5 === 0 ? (random() - 0.5) * 0.2 : 0;
    });
    return { buses, branches };
  });
