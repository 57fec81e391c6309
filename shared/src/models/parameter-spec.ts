/** How a parameter starts; fans are PyTorch's: weight dimension 1 (in) or 0 (out) × kernel volume. */
export type Initialiser =
  /** Uniform in ±1/√fanIn: PyTorch's default for weights and biases (He et al., ICCV 2015, with a = √5). */
  | { readonly kind: 'kaiming-uniform'; readonly fanIn: number }
  /** Normal around zero. */
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'ones' }
  | { readonly kind: 'zeros' };

/**
 * What becomes of a parameter in training: `trained` has a gradient; `statistic` is a running mean or variance, moved by the
 * data themselves (PyTorch calls it a buffer).
 */
export type ParameterRole = 'trained' | 'statistic';

export interface ParameterSpec {
  readonly name: string;
  /**
   * PyTorch layout: convolution [out, in, d, h, w]; transposed convolution [in, out, d, h, w]; linear [out, in]; norm and
   * bias [channels].
   */
  readonly shape: readonly number[];
  readonly initialiser: Initialiser;
  readonly role: ParameterRole;
  /** Set for all parameters of a norm layer: scale, shift and running statistics. */
  readonly layer?: 'norm';
}
