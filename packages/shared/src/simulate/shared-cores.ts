/**
 * When the last of several workers ends that begin together on one box and share its cores: each goes at the speed of
 * its own threads while there are cores for all, else at an equal share of them.
 *
 * @param works seconds that each would take with all cores of the box
 * @param numThreads of each worker
 */
export function sharedCoresSeconds(works: readonly number[], numCores: number, numThreads: number): number {
  const ascending = works.filter((work) => work > 0).sort((a, b) => a - b);
  let [seconds, done] = [0, 0];
  for (const [numEnded, work] of ascending.entries()) {
    const numRunning = ascending.length - numEnded;
    const speed = Math.min(1, numThreads / numCores, 1 / numRunning);
    seconds += (work - done) / speed;
    done = work;
  }
  return seconds;
}
