/**
 * What is fetched, pinned by digest. The engine calls a few private operations of this very release, so another release is
 * a change to the engine too (site-agent/src/engine/runtime/locate-runtime.ts names the same version).
 */
export const TENSORFLOW_VERSION = '2.21.0';

/** @typedef {{ package: string, version: string, file: string, sha256: string, members: Record<string, string> }} Wheel */

/** Members to take from TensorFlow's wheel: path (a trailing slash or star takes all that begin so) → folder they land in. */
const TENSORFLOW_MEMBERS = {
  'tensorflow/libtensorflow_cc.so.2': 'lib/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2': 'lib/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/': 'include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/ctstring*': 'include/tensorflow/core/platform/ctstring',
  'tensorflow/include/xla/tsl/c/': 'include/xla/tsl/c/',
  'tensorflow/include/tsl/platform/ctstring*': 'include/tsl/platform/ctstring',
};

const PLATFORM_TAGS = {
  '2_27': 'manylinux_2_27_x86_64',
  '2014_17': 'manylinux2014_x86_64.manylinux_2_17_x86_64',
  '2010_12': 'manylinux2010_x86_64.manylinux_2_12_x86_64',
};

const TAG = 'cp311-cp311-manylinux_2_27_x86_64';

/** @type {Record<'cpu' | 'gpu', Wheel[]>} */
export const WHEELS = {
  cpu: [
    {
      package: 'tensorflow-cpu',
      version: TENSORFLOW_VERSION,
      file: `tensorflow_cpu-${TENSORFLOW_VERSION}-${TAG}.whl`,
      sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      members: TENSORFLOW_MEMBERS,
    },
  ],
  gpu: [
    {
      package: 'tensorflow',
      version: TENSORFLOW_VERSION,
      file: `tensorflow-${TENSORFLOW_VERSION}-${TAG}.whl`,
      sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      members: TENSORFLOW_MEMBERS,
    },
    // The libraries that TensorFlow's own "and-cuda" extra asks for; its library looks for them in ../nvidia/*/lib.
    cuda('cublas', '12.9.3.13', '2_27', 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'),
    cuda('cuda_cupti', '12.8.90', '2014_17', 'ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182'),
    cuda('cuda_nvrtc', '12.9.86', '2010_12', '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'),
    cuda('cuda_runtime', '12.9.79', '2014_17', '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'),
    cuda('cudnn', '9.28.0.42', '2_27', '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'),
    cuda('cufft', '11.4.1.4', '2014_17', 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'),
    cuda('curand', '10.3.10.19', '2_27', '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'),
    cuda('cusolver', '11.7.5.82', '2_27', '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'),
    cuda('cusparse', '12.5.10.65', '2014_17', '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'),
    cuda('nccl', '2.32.3', '2_27', 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'),
    cuda('nvjitlink', '12.9.86', '2010_12', 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'),
  ],
};

/** Free space that set-up needs at its peak; what remains is about half. */
export const SPACE_NEEDED_BYTES = { cpu: 2.0e9, gpu: 9e9 };

/** @returns {Wheel} */
function cuda(library, version, tag, sha256) {
  return {
    package: `nvidia-${library.replaceAll('_', '-')}-cu12`,
    version,
    file: `nvidia_${library}_cu12-${version}-py3-none-${PLATFORM_TAGS[tag]}.whl`,
    sha256,
    members: { [`nvidia/${library}/lib/`]: `nvidia/${library}/lib/` },
  };
}
