import { AIR_THRESHOLD, mrWindow, normaliseIntensity } from './intensity.js';

describe('normaliseIntensity', () => {
  it('maps −1000…1000 HU to 0…1 and clips; −150 HU is 0.425', () => {
    const voxels = Float32Array.of(-3024, -1000, -500, -150, 0, 1000, 3000);
    const scaled = [...normaliseIntensity({ voxels }, 'CT')].map((value) => Number(value.toFixed(6)));
    expect(scaled).toEqual([0, 0, AIR_THRESHOLD.CT, 0.425, 0.5, 1, 1]);
    expect(voxels[0]).toBe(-3024);
  });

  it('maps the percentiles of non-zero MR voxels to 0…1', () => {
    const voxels = Float32Array.from({ length: 1402 }, (_, index) => Math.max(0, index - 400)); // 401 zeros, then 1…1001
    const [low, high] = mrWindow(voxels);
    expect([low, high]).toEqual([6, 996]);
    const scaled = normaliseIntensity({ voxels }, 'MR');
    expect([scaled[0], scaled[406], scaled[400 + 501], scaled[1401]]).toEqual([0, 0, 0.5, 1]);
  });

  it('does not depend on the unit of an MR volume', () => {
    const voxels = Float32Array.from({ length: 500 }, (_, index) => (index * 37) % 251);
    const scaled = normaliseIntensity({ voxels }, 'MR');
    const other = normaliseIntensity({ voxels: voxels.map((value) => value * 1024) }, 'MR');
    scaled.forEach((value, index) => expect(other[index]).toBeCloseTo(value, 5));
  });

  it('writes where it is told', () => {
    const target = new Float32Array(new SharedArrayBuffer(8));
    expect(normaliseIntensity({ voxels: Float32Array.of(0, 1000) }, 'CT', target)).toBe(target);
    expect([...target]).toEqual([0.5, 1]);
  });

  it('makes a volume without contrast all air instead of dividing by zero', () => {
    expect([...normaliseIntensity({ voxels: Float32Array.of(5, 5, 0) }, 'MR')]).toEqual([0, 0, 0]);
  });
});
