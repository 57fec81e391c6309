export function averageRound(weights: Float32Array, sites: readonly { shift: number; weight: number }[]): void;
