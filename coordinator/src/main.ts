import { rmSync, writeFileSync } from 'node:fs';
import type { Server as SecureServer } from 'node:https';
import 'reflect-metadata';
import { DATA_PATHS } from '@consilium/shared/wire';
import {
  type AlarmClock,
  collectBuffersYoung,
  errnoOf,
  FederationError,
  isLoopbackHost,
  systemClock,
} from '@consilium/shared/kernel';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { AppModule } from './app.module.js';
import type { BlobStore } from './blobs/blob-store.js';
import { openBlobStore } from './blobs/open-blob-store.js';
import type { CoordinatorConfig } from './config/coordinator-config.js';
import { ensureCoordinatorKey, ensureOperatorToken, homeFolder, type HomeFolder, prepareHomeFolder } from './home/home-folder.js';
import { lockHome } from './home/home-lock.js';
import { type Certificate, followCertificate, readCertificate } from './live/certificate.js';
import { SocketAdapter } from './live/socket-adapter.js';
import { limitConnections } from './limits/limit-connections.js';
import { RequestLimits } from './limits/request-limits.js';
import { frameworkLogger, Log } from './log.js';
import { unusableDatabase } from './records/unit-of-work.js';
import { openSpans } from './tracing/open-spans.js';
import { NO_SPANS } from './tracing/span-recorder.js';
import { traceRequests } from './tracing/trace-requests.js';
import { UploadSpool } from './transfer/upload-spool.js';

export interface RunningCoordinator {
  /** Where sites and operators reach it. */
  readonly url: string;
  readonly port: number;
  readonly home: HomeFolder;
  readonly operatorToken: string;
  /** Closes connections and database; what was under way goes on at the next start. */
  stop(): Promise<void>;
}

/** Other forms of the ports, for specs and simulations. */
export interface OpenOptions {
  readonly clock?: AlarmClock;
  readonly blobs?: (store: BlobStore) => BlobStore;
  readonly log?: Log;
}

/** Starts a coordinator on its home folder. Throws COORDINATOR_ALREADY_RUNNING, PORT_BUSY, FOLDER_MISSING, DISK_FULL, CONFIG_INVALID. */
export async function openCoordinator(config: CoordinatorConfig, options: OpenOptions = {}): Promise<RunningCoordinator> {
  requireEncryptedLine(config);
  collectBuffersYoung();
  const home = homeFolder(config.home);
  prepareHomeFolder(home);
  const unlock = lockHome(home);
  try {
    const operatorToken = ensureOperatorToken(home);
    const key = ensureCoordinatorKey(home);
    const log = options.log ?? new Log(config.log);
    const { store, close } = await openBlobStore(config.blobs, home, (line) => log.part('blobs').info(line));
    const certificate = config.tls && readCertificate(config.tls, Date.now());
    const spans = await openSpans(config.traces, log.part('tracing'));
    const foundation = { config, home, operatorToken, key, log, spans, clock: options.clock ?? systemClock };
    const app = await createApp({ ...foundation, blobs: options.blobs?.(store) ?? store }, certificate).catch(
      (cause: unknown) => {
        throw config.database === undefined ? cause : unusableDatabase(cause);
      },
    );
    await listen(app, config);
    const { port } = app.getHttpServer().address() as { port: number };
    const url = config.publicUrl ?? ownUrl(config, port, certificate);
    const unfollow = config.tls && followCertificate(app.getHttpServer() as SecureServer, config.tls, log.part('live'));
    writeFileSync(home.stateFile, JSON.stringify({ url, pid: process.pid, port, startedAtMs: Date.now() }));
    const stop = async (): Promise<void> => {
      rmSync(home.stateFile, { force: true });
      unfollow?.();
      await app.close();
      close();
      unlock();
    };
    return { url, port, home, operatorToken, stop };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** What sites and operators are told to use: a name that the certificate is made out to. */
function ownUrl({ host }: CoordinatorConfig, port: number, certificate: Certificate | undefined): string {
  return certificate === undefined ? `http://${host}:${port}` : `https://${certificate.name ?? host}:${port}`;
}

/** Credentials and weights must not travel in the open. */
function requireEncryptedLine({ host, tls, plainHttp }: CoordinatorConfig): void {
  if (tls !== undefined || plainHttp || isLoopbackHost(host)) return;
  throw new FederationError('CONFIG_INVALID', `others can reach ${host}, and the line would not be encrypted`, {
    remedy: 'Name tlsCertificate and tlsKey; or say "plainHttp: true" where a proxy in front of it ends TLS.',
  });
}

async function createApp(
  foundation: Parameters<typeof AppModule.on>[0],
  certificate: Certificate | undefined,
): Promise<NestExpressApplication> {
  const { config } = foundation;
  const httpsOptions = certificate && {
    cert: certificate.cert,
    key: certificate.key,
    handshakeTimeout: config.limits.requestTimeoutMs,
  };
  const app = await NestFactory.create<NestExpressApplication>(AppModule.on(foundation), {
    logger: frameworkLogger(foundation.log),
    abortOnError: false,
    forceCloseConnections: true,
    ...(certificate && { httpsOptions }),
  });
  app.disable('x-powered-by');
  app.useWebSocketAdapter(new SocketAdapter(app, config));
  if (foundation.spans !== NO_SPANS) app.use(traceRequests(foundation.spans));
  const limits = app.get(RequestLimits);
  app.use((request: Request, _response: Response, next: NextFunction) => {
    limits.requireAddress(request);
    next();
  });
  const uploads = app.get(UploadSpool);
  app.use(DATA_PATHS.uploads, (request: Request, response: Response) => void uploads.handle(request, response));
  await app.init();
  limitConnections(app.getHttpServer(), config.limits, limits);
  return app;
}

async function listen(app: NestExpressApplication, { host, port }: CoordinatorConfig): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (cause) {
    await app.close().catch(() => undefined);
    const code = errnoOf(cause);
    if (code === 'EADDRINUSE') {
      throw new FederationError('PORT_BUSY', `port ${port} is in use on ${host}`, {
        cause,
        details: { port },
        remedy: 'Choose another with --port, or stop the program that uses it.',
      });
    }
    if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND') {
      throw new FederationError('CONFIG_INVALID', `it is not possible to listen on ${host}:${port} (${code})`, {
        cause,
        remedy: 'Choose an address of this machine with --host, and a port above 1023 with --port.',
      });
    }
    throw FederationError.from(cause);
  }
}
