import { Command } from 'commander';
import { DOCTOR_OPTIONS } from '@expertmesh/shared/config/doctor-options';
import { addOptions, readConfig } from '@expertmesh/shared/config/parse-config';
import { EXIT_DONE, EXIT_FAILED } from '@expertmesh/shared/process/exit-code';
import { machineResources } from '@expertmesh/shared/process/machine';
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
    const { natsUrl, cacheDir } = readConfig(command, DOCTOR_OPTIONS, process.env);
    const report = await examine(natsUrl, cacheDir);
    const asJson = command.opts<{ json?: boolean }>().json === true;
    process.stdout.write(asJson ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report));
    process.exitCode = isHealthy(report) ? EXIT_DONE : EXIT_FAILED;
  });
}

async function examine(natsUrl: string, cacheDir: string): Promise<DoctorReport> {
  const machine = machineResources();
  const checks = [
    nodeCheck(process.versions.node),
    coresCheck(machine),
    cpuFeaturesCheck(),
    memoryCheck(machine),
    await diskCheck(cacheDir),
    ...(await providerChecks(machine.numCores)),
    ...(await portChecks()),
    ...(await natsChecks(natsUrl)),
  ];
  return { checks, models: modelFits(machine.totalMemoryBytes) };
}
