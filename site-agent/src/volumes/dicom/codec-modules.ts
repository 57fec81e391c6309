import { createRequire } from 'node:module';

/** A picture decoder of the Cornerstone codecs (emscripten): memory inside the module, freed by `delete`. */
export interface PictureDecoder {
  getEncodedBuffer(lengthBytes: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned?: boolean };
  delete(): void;
}

export type WasmCodec = 'jpeg' | 'jpeg-ls' | 'jpeg-2000' | 'ht-jpeg-2000';

/** A module that has been started; its text for the number that a C++ exception is thrown as. */
export interface CodecModule {
  newDecoder(): PictureDecoder;
  /** Bytes of the module's memory, which only grows. */
  memoryBytes(): number;
}

interface EmscriptenModule {
  readonly HEAPU8: Uint8Array;
  readonly [name: string]: unknown;
}

const require = createRequire(import.meta.url);
/** The single codecs belong to the package that gathers them. */
const requireCodec = createRequire(require.resolve('@cornerstonejs/dicom-codec'));

const SOURCES: Readonly<Record<WasmCodec, readonly [path: string, decoder: string]>> = {
  jpeg: ['@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs', 'JPEGDecoder'],
  'jpeg-ls': ['@cornerstonejs/codec-charls/decodewasmjs', 'JpegLSDecoder'],
  'jpeg-2000': ['@cornerstonejs/codec-openjpeg/decodewasmjs', 'J2KDecoder'],
  'ht-jpeg-2000': ['@cornerstonejs/codec-openjph/wasmjs', 'HTJ2KDecoder'],
};

const started = new Map<WasmCodec, Promise<CodecModule>>();

/** The module of a codec, started when first asked for. */
export function codecModule(codec: WasmCodec): Promise<CodecModule> {
  let module = started.get(codec);
  if (module === undefined) {
    module = start(codec);
    started.set(codec, module);
  }
  return module;
}

/** After a trap a module's memory cannot be trusted: the next call starts a new one. */
export function dropCodecModule(codec: WasmCodec): void {
  started.delete(codec);
}

async function start(codec: WasmCodec): Promise<CodecModule> {
  const [path, decoder] = SOURCES[codec];
  const factory = requireCodec(path) as (options: object) => Promise<EmscriptenModule>;
  const silent = (): void => undefined;
  const quit = (_status: number, reason: unknown): never => {
    throw reason;
  };
  const module = await factory({ print: silent, printErr: silent, quit });
  const Decoder = module[decoder] as new () => PictureDecoder;
  return { newDecoder: () => new Decoder(), memoryBytes: () => module.HEAPU8.length };
}

interface LosslessDecoder {
  decode(buffer: ArrayBufferLike, offset: number, length: number, bytesPerSample: number): Uint8Array | Uint16Array;
}

/** JPEG lossless (process 14), in JavaScript. */
export function newLosslessDecoder(): LosslessDecoder {
  const { Decoder } = requireCodec('jpeg-lossless-decoder-js') as { Decoder: new () => LosslessDecoder };
  return new Decoder();
}

interface RleCodec {
  decode(
    frame: Uint8Array,
    form: { rows: number; columns: number; bitsAllocated: number; samplesPerPixel: number; signed: boolean },
    transferSyntax: string,
  ): Promise<{ imageFrame: Int8Array }>;
}

/** The decoders that the gathering package holds itself. */
export function gatheredCodecs(): RleCodec {
  return require('@cornerstonejs/dicom-codec') as RleCodec;
}
