import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { errnoOf, FederationError } from '@consilium/shared/kernel';

/** Where blobs lie in an object store that speaks S3. Access keys come from where AWS' own tools look for them. */
export interface BucketPlace {
  readonly bucket: string;
  /** Put before every key; empty or ending with "/". */
  readonly prefix: string;
  /** Of a store other than Amazon's, such as https://minio.hospital.example:9000. */
  readonly endpoint: string | undefined;
  readonly region: string;
}

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

const nothing = (): void => undefined;
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** The few things that a blob store asks of a bucket. What may heal is tried again; then STORAGE_FAILED, which is retryable. */
export class S3Bucket {
  private readonly client: S3Client;

  constructor(private readonly place: BucketPlace) {
    const { endpoint, region } = place;
    this.client = new S3Client({
      region,
      // What it would print, the errors say as well, once and in our words.
      logger: SILENT,
      // A body that is streamed from a file is sent again by us, from its beginning: the client cannot rewind it.
      maxAttempts: 1,
      // Stores other than Amazon's do not all know the newer checksums; every blob is checked against its digest anyway.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    });
  }

  /** Throws CONFIG_INVALID with the reason when the bucket cannot be used. */
  async requireUsable(): Promise<void> {
    const { bucket, endpoint } = this.place;
    try {
      await this.client.send(new HeadBucketCommand({ Bucket: bucket }));
    } catch (cause) {
      const status = statusOf(cause);
      const reason = status === 404 ? 'there is no such bucket' : status === 403 ? 'the access key is refused' : reasonOf(cause);
      throw new FederationError('CONFIG_INVALID', `the bucket ${bucket} cannot be used: ${reason}`, {
        cause,
        remedy:
          `Check the bucket${endpoint === undefined ? '' : ' and s3Endpoint'}, and that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ` +
          '(or a profile, or the machine’s role) allow to read, write and delete in it.',
      });
    }
  }

  /** Sends a whole file; an object of this key is replaced. */
  async put(key: string, file: string, bytes: number): Promise<void> {
    await this.attempt('written', () => {
      const Body = createReadStream(file);
      return this.client
        .send(new PutObjectCommand({ ...this.at(key), Body, ContentLength: bytes }))
        .finally(() => Body.destroy());
    });
  }

  /** Writes the object into a file and returns false when there is none. What the file then holds is not checked here. */
  async get(key: string, file: string): Promise<boolean> {
    return this.attempt('read', async () => {
      try {
        const { Body } = await this.client.send(new GetObjectCommand(this.at(key)));
        if (!(Body instanceof Readable)) throw new Error('the answer has no content');
        await pipeline(Body, createWriteStream(file, { flush: true }));
        return true;
      } catch (cause) {
        if (statusOf(cause) === 404) return false;
        throw cause;
      }
    });
  }

  async has(key: string): Promise<boolean> {
    return this.attempt('asked for', async () => {
      try {
        await this.client.send(new HeadObjectCommand(this.at(key)));
        return true;
      } catch (cause) {
        if (statusOf(cause) === 404) return false;
        throw cause;
      }
    });
  }

  /** Gone already is fine. */
  async remove(key: string): Promise<void> {
    await this.attempt('removed', () => this.client.send(new DeleteObjectCommand(this.at(key))));
  }

  close(): void {
    this.client.destroy();
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.place.bucket, Key: this.place.prefix + key };
  }

  private async attempt<T>(done: string, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (cause) {
        const full = FederationError.from(cause, 'STORAGE_FAILED');
        if (full.code === 'DISK_FULL') throw full;
        if (attempt === ATTEMPTS || !mayHeal(cause)) {
          throw new FederationError(
            'STORAGE_FAILED',
            `a weight file could not be ${done} in the object store: ${reasonOf(cause)}`,
            {
              cause,
              remedy: 'Look at the object store; what was under way goes on when it answers again.',
            },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, FIRST_PAUSE_MS * 2 ** (attempt - 1)));
      }
    }
  }
}

function statusOf(cause: unknown): number | undefined {
  return cause instanceof S3ServiceException ? cause.$metadata.httpStatusCode : undefined;
}

/** A refusal stays one; a store that is busy, restarting or out of reach may come back. */
function mayHeal(cause: unknown): boolean {
  const status = statusOf(cause);
  return status === undefined || status >= 500 || status === 429;
}

/** Short, and without what the client says of its requests. */
function reasonOf(cause: unknown): string {
  if (cause instanceof S3ServiceException) return `${cause.name} (HTTP ${cause.$metadata.httpStatusCode ?? '?'})`;
  const code = errnoOf(cause);
  return code ?? (cause instanceof Error ? cause.name : 'unknown');
}
