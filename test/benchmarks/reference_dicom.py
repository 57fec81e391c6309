"""The dicom-j2k row's reference: a DICOM series to float32 in RAS order, x-major, with pydicom and NumPy."""
import hashlib
import pathlib
import sys

import numpy as np
import openjpeg
import pydicom
from reference_channel import Clock, facts, send, serve


def read():
    slices = [pydicom.dcmread(path) for path in pathlib.Path(sys.argv[1]).iterdir()]
    orientation = np.array(slices[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    slices.sort(key=lambda dataset: float(np.dot(normal, np.array(dataset.ImagePositionPatient, dtype=float))))
    rows, columns = slices[0].Rows, slices[0].Columns
    voxels = np.empty((columns, rows, len(slices)), dtype=np.float32)
    for index, dataset in enumerate(slices):
        plane = dataset.pixel_array * np.float32(dataset.RescaleSlope) + np.float32(dataset.RescaleIntercept)
        voxels[:, :, index] = plane.T[::-1, ::-1]  # patient axes: rows run left, columns back
    return voxels


digests = []
clock = Clock()


def load():
    voxels, times = clock.measure(read)
    if not digests:
        digests.append(hashlib.sha256(voxels).hexdigest())
    return {**times, **facts(), "digest": digests[0]}


send({"engine": f"pydicom {pydicom.__version__}, OpenJPEG {openjpeg.__version__}, NumPy {np.__version__}"})
serve({"load": load})
