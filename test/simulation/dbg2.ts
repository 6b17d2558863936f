import { simulateSeed } from '@expertmesh/test-kit/simulation/simulate-seed';
import { PLANTED_BUGS } from './planted-bugs.js';
const [n=200,only=-1]=process.argv.slice(2).map(Number);
for (const [i,{name,plant,faults}] of PLANTED_BUGS.entries()){ if(only>=0&&i!==only) continue; const r0=plant(); let found='NOT FOUND'; for(let s=1;s<=n;s++){ const r=await simulateSeed(s,{faults}); if(r.violation){found=`seed ${s}: ${r.violation}`;break;} } r0(); process.stdout.write(`${i} ${name}: ${found}\n`);}
