import { type AlarmClock } from '@consilium/shared/kernel';
import type { SigningKey } from '@consilium/shared/identity';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { OpenRequests } from './access/open-requests.js';
import { OperatorAccounts } from './access/operator-accounts.js';
import { OperatorSessionController, SignInController } from './access/operator-session.controller.js';
import { OperatorTokens } from './access/operator-tokens.js';
import { OperatorsController } from './access/operators.controller.js';
import { ProofNonces } from './access/proof-nonces.js';
import { RefusalLog } from './access/refusal-log.js';
import { RequireOperator } from './access/require-operator.js';
import { RequireSite } from './access/require-site.js';
import { SiteAccess } from './access/site-access.js';
import { ApiDocumentController } from './api-document/api-document.controller.js';
import { AuditController } from './audit/audit.controller.js';
import { AuditLog } from './audit/audit-log.js';
import { BackupController } from './backup/backup.controller.js';
import { RecordDump } from './backup/record-dump.js';
import { BlobHolds } from './blobs/blob-holds.js';
import type { BlobStore } from './blobs/blob-store.js';
import { CampaignCommands } from './campaigns/campaign-commands.js';
import { CampaignRegister } from './campaigns/campaign-register.js';
import { CampaignViews } from './campaigns/campaign-views.js';
import { CampaignsController } from './campaigns/campaigns.controller.js';
import type { CoordinatorConfig } from './config/coordinator-config.js';
import type { HomeFolder } from './home/home-folder.js';
import { CampaignEvents } from './live/campaign-events.js';
import { HealthController } from './live/health.controller.js';
import { HttpErrorFilter } from './live/http-error.filter.js';
import { OperatorGateway } from './live/operator.gateway.js';
import { Presence } from './live/presence.js';
import { SiteGateway } from './live/site.gateway.js';
import { RequestLimits } from './limits/request-limits.js';
import { Log } from './log.js';
import { Metrics } from './metrics/metrics.js';
import { MetricsController } from './metrics/metrics.controller.js';
import { TransferCounters } from './metrics/transfer-counters.js';
import { ModelLedger } from './models/model-ledger.js';
import { ModelPassports } from './models/model-passports.js';
import { ModelsController } from './models/models.controller.js';
import { ScoreRecorder } from './models/score-recorder.js';
import { SiteModelsController } from './models/site-models.controller.js';
import { VersionPins } from './models/version-pins.js';
import { BLOB_STORE, CLOCK, CONFIG, COORDINATOR_KEY, HOME, OPERATOR_TOKEN, SPANS } from './ports.js';
import { dataSourceOptions } from './records/data-source.js';
import { UnitOfWork } from './records/unit-of-work.js';
import { Retention } from './retention/retention.js';
import { RetentionController } from './retention/retention.controller.js';
import { RetentionLedger } from './retention/retention-ledger.js';
import { Assignments } from './rounds/assignments.js';
import { CampaignStep } from './rounds/campaign-step.js';
import { ParticipationRecorder } from './rounds/participation-recorder.js';
import { RoundConductor } from './rounds/round-conductor.js';
import { FoldEngine } from './rounds/fold-engine.js';
import { RoundFold } from './rounds/round-fold.js';
import { RoundNoise } from './rounds/round-noise.js';
import { RoundLedger } from './rounds/round-ledger.js';
import { RoundParts } from './rounds/round-parts.js';
import { RoundPlanner } from './rounds/round-planner.js';
import { CredentialController } from './sites/credential.controller.js';
import { EnrolmentController } from './sites/enrolment.controller.js';
import { SiteDirectory } from './sites/site-directory.js';
import { SitesController } from './sites/sites.controller.js';
import { RoundSpans } from './tracing/round-spans.js';
import type { SpanRecorder } from './tracing/span-recorder.js';
import { BlobsController } from './transfer/blobs.controller.js';
import { LineTestController } from './transfer/line-test.controller.js';
import { UploadSpool } from './transfer/upload-spool.js';
import { MeasureThreads } from './updates/measure-threads.js';
import { QuarantineDesk } from './updates/quarantine-desk.js';
import { UpdateIntake } from './updates/update-intake.js';
import { UpdateLedger } from './updates/update-ledger.js';
import { UpdateScreening } from './updates/update-screening.js';
import { UpdateViews } from './updates/update-views.js';
import { UpdatesController } from './updates/updates.controller.js';

/** What the coordinator stands on: its settings and the real (or, in specs, simulated) forms of its ports. */
export interface Foundation {
  readonly config: CoordinatorConfig;
  readonly home: HomeFolder;
  readonly operatorToken: string;
  readonly key: SigningKey;
  readonly log: Log;
  readonly clock: AlarmClock;
  readonly blobs: BlobStore;
  readonly spans: SpanRecorder;
}

/** The list of rooms. */
@Module({})
export class AppModule {
  static on({ config, home, operatorToken, key, log, clock, blobs, spans }: Foundation): DynamicModule {
    return {
      module: AppModule,
      imports: [TypeOrmModule.forRoot({ ...dataSourceOptions(config.database ?? home.databaseFile), retryAttempts: 0 })],
      controllers: [
        HealthController,
        SitesController,
        EnrolmentController,
        CredentialController,
        CampaignsController,
        ModelsController,
        SiteModelsController,
        UpdatesController,
        BlobsController,
        LineTestController,
        BackupController,
        RetentionController,
        MetricsController,
        ApiDocumentController,
        AuditController,
        SignInController,
        OperatorSessionController,
        OperatorsController,
      ],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: HOME, useValue: home },
        { provide: CLOCK, useValue: clock },
        { provide: COORDINATOR_KEY, useValue: key },
        { provide: ProofNonces, useValue: new ProofNonces() },
        { provide: BLOB_STORE, useValue: blobs },
        { provide: SPANS, useValue: spans },
        { provide: Log, useValue: log },
        { provide: OPERATOR_TOKEN, useValue: operatorToken },
        { provide: APP_FILTER, useClass: HttpErrorFilter },
        ...[UnitOfWork, AuditLog, OperatorTokens, OperatorAccounts, RequireOperator],
        ...[RequireSite, SiteAccess, OpenRequests, RefusalLog, RequestLimits],
        ...[SiteDirectory, CampaignRegister, CampaignViews, CampaignCommands],
        ...[RoundLedger, RoundParts, RoundPlanner, CampaignStep, FoldEngine, RoundNoise, RoundFold, RoundConductor],
        ...[ParticipationRecorder, Assignments],
        ...[ModelLedger, ModelPassports, ScoreRecorder, UploadSpool],
        ...[UpdateLedger, MeasureThreads, UpdateIntake, UpdateScreening, UpdateViews, QuarantineDesk],
        ...[BlobHolds, VersionPins, RetentionLedger, Retention],
        ...[RecordDump, TransferCounters, Metrics, RoundSpans],
        ...[CampaignEvents, Presence, SiteGateway, OperatorGateway],
      ],
    };
  }
}
