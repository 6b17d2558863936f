import { Command } from 'commander';
import { DOCTOR_OPTIONS } from '@expertmesh/shared/config/doctor-options';
import { type ConfigOf } from '@expertmesh/shared/config/option';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { tlsContradiction } from '@expertmesh/shared/config/tls-options';
import { EXIT_DONE, EXIT_FAILED } from '@expertmesh/shared/process/exit-code';
import { machineResources } from '@expertmesh/shared/process/machine';
import { openOwnSecurity } from '@expertmesh/shared/transport-security/open-transport-security';
import { certificateCheck, meshPortChecks } from '../doctor/certificate-checks.js';
import { coresCheck, cpuFeaturesCheck, diskCheck, memoryCheck, nodeCheck } from '../doctor/machine-checks.js';
import { modelFits } from '../doctor/model-fit.js';
import { natsChecks, portChecks } from '../doctor/network-checks.js';
import { providerChecks } from '../doctor/provider-checks.js';
import { isHealthy, reportText, type DoctorReport } from '../doctor/report.js';

export function doctorCommand(): Command {
  return addOptions(
    new Command('doctor')
      .description(
        'Show what this machine can run: cores, memory, execution providers (each tried), ports, NATS, models.',
      )
      .option('--json', 'Print JSON.'),
    DOCTOR_OPTIONS,
  ).action(async (_flags, command: Command) => {
    const config = readConfig(command, DOCTOR_OPTIONS, process.env, tlsContradiction);
    const report = await examine(config);
    const asJson = command.opts<{ json?: boolean }>().json === true;
    process.stdout.write(asJson ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
    process.exitCode = isHealthy(report) ? EXIT_DONE : EXIT_FAILED;
  });
}

async function examine({
  natsUrl,
  natsCreds,
  cacheDir,
  ...tls
}: ConfigOf<typeof DOCTOR_OPTIONS>): Promise<DoctorReport> {
  const certificates = certificateCheck(tls, Date.now());
  const canBeShown = certificates.length > 0 && certificates.every(({ status }) => status !== 'broken');
  const security = canBeShown ? openOwnSecurity(tls) : undefined;
  const machine = machineResources();
  const checks = [
    nodeCheck(process.versions.node),
    coresCheck(machine),
    cpuFeaturesCheck(),
    memoryCheck(machine),
    await diskCheck(cacheDir),
    ...(await providerChecks(machine.numCores)),
    ...(await portChecks()),
    ...certificates,
    ...(security === undefined ? [] : await meshPortChecks(security)),
    ...(await natsChecks(natsUrl, security, natsCreds)),
  ];
  security?.close();
  return { checks, models: modelFits(machine.totalMemoryBytes) };
}
