/** Options that many commands have. */
import { defaultDataFolder } from '../data-folder.ts';

type Option = [flags: string, description: string, fallback?: string];

export const data: Option = ['--data <folder>', 'where the system keeps what it must not forget', defaultDataFolder()];
export const json: Option = ['--json', 'print JSON Lines on stdout'];
