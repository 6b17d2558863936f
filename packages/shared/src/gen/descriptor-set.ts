/** FileDescriptorSet of proto/ as JSON, with the JSON names of fields. Written by scripts/generate-protobuf.mjs. */
export const DESCRIPTOR_SET: { readonly file: readonly object[] } = {
 "file": [
  {
   "name": "expertmesh/v1/worker.proto",
   "package": "expertmesh.v1",
   "messageType": [
    {
     "name": "ResetEpochRequest"
    },
    {
     "name": "ResetEpochResponse",
     "field": [
      {
       "name": "epoch",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "LayerShard",
     "field": [
      {
       "name": "layerIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "expertIds",
       "number": 2,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "AssignRequest",
     "field": [
      {
       "name": "placementVersion",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "storeId",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "shards",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.LayerShard"
      },
      {
       "name": "epoch",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "AssignResponse",
     "field": [
      {
       "name": "packedBytes",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "memoryBytes",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "LoadRequest",
     "field": [
      {
       "name": "placementVersion",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "epoch",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "sources",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "LoadProgress",
     "field": [
      {
       "name": "placementVersion",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "loadedBytes",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "totalBytes",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "loadedLayers",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "totalLayers",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "UnloadRequest",
     "field": [
      {
       "name": "epoch",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "UnloadResponse"
    },
    {
     "name": "GetStatsRequest"
    },
    {
     "name": "WorkerStats",
     "field": [
      {
       "name": "bootId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "storeId",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "state",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.WorkerState"
      },
      {
       "name": "dataPort",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "placementVersion",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "memoryBudgetBytes",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "packedBytes",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "residentBytes",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numExpertsLoaded",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "numCalls",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numFailedCalls",
       "number": 11,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numPairs",
       "number": 12,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numRuns",
       "number": 13,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "computeUs",
       "number": 14,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numQueuedCalls",
       "number": 15,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "uptimeMs",
       "number": 16,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "epoch",
       "number": 17,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "shards",
       "number": 18,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.LayerShard"
      },
      {
       "name": "capacity",
       "number": 19,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.WorkerCapacity"
      },
      {
       "name": "scrubbedBytes",
       "number": 20,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numDamagedExperts",
       "number": 21,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numWithdrawnExperts",
       "number": 22,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "lastDamage",
       "number": 23,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "WorkerCapacity",
     "field": [
      {
       "name": "provider",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "numCores",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "memoryBytesPerSecond",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "secondsPerActiveExpert",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "secondsPerToken",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "failureDomain",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "expertMemoryBytes",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "DrainRequest",
     "field": [
      {
       "name": "timeoutMs",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "DrainResponse",
     "field": [
      {
       "name": "numFailedCalls",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    }
   ],
   "enumType": [
    {
     "name": "WorkerState",
     "value": [
      {
       "name": "WORKER_STATE_UNSPECIFIED",
       "number": 0
      },
      {
       "name": "WORKER_STATE_IDLE",
       "number": 1
      },
      {
       "name": "WORKER_STATE_LOADING",
       "number": 2
      },
      {
       "name": "WORKER_STATE_SERVING",
       "number": 3
      },
      {
       "name": "WORKER_STATE_DRAINING",
       "number": 4
      }
     ]
    }
   ],
   "service": [
    {
     "name": "WorkerService",
     "method": [
      {
       "name": "Assign",
       "inputType": ".expertmesh.v1.AssignRequest",
       "outputType": ".expertmesh.v1.AssignResponse"
      },
      {
       "name": "Load",
       "inputType": ".expertmesh.v1.LoadRequest",
       "outputType": ".expertmesh.v1.LoadProgress",
       "serverStreaming": true
      },
      {
       "name": "Unload",
       "inputType": ".expertmesh.v1.UnloadRequest",
       "outputType": ".expertmesh.v1.UnloadResponse"
      },
      {
       "name": "GetStats",
       "inputType": ".expertmesh.v1.GetStatsRequest",
       "outputType": ".expertmesh.v1.WorkerStats"
      },
      {
       "name": "Drain",
       "inputType": ".expertmesh.v1.DrainRequest",
       "outputType": ".expertmesh.v1.DrainResponse"
      },
      {
       "name": "ResetEpoch",
       "inputType": ".expertmesh.v1.ResetEpochRequest",
       "outputType": ".expertmesh.v1.ResetEpochResponse"
      }
     ]
    }
   ],
   "syntax": "proto3"
  },
  {
   "name": "expertmesh/v1/admin.proto",
   "package": "expertmesh.v1",
   "dependency": [
    "expertmesh/v1/worker.proto"
   ],
   "messageType": [
    {
     "name": "GetClusterRequest"
    },
    {
     "name": "WatchClusterRequest",
     "field": [
      {
       "name": "intervalMs",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "ClusterView",
     "field": [
      {
       "name": "cluster",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "coordinatorId",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "leaderId",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "epoch",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "controlPlane",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "placementVersion",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "workers",
       "number": 7,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.WorkerView"
      },
      {
       "name": "coordinators",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.CoordinatorView"
      },
      {
       "name": "change",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.ChangeProgress"
      },
      {
       "name": "balance",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.BalanceView"
      },
      {
       "name": "alarms",
       "number": 11,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Alarm"
      },
      {
       "name": "hottestExperts",
       "number": 12,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.HotExpert"
      },
      {
       "name": "timeMs",
       "number": 13,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT64"
      }
     ]
    },
    {
     "name": "WorkerView",
     "field": [
      {
       "name": "workerId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "controlAddress",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "dataAddress",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "bootId",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "availability",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.WorkerAvailability"
      },
      {
       "name": "admission",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.WorkerAdmission"
      },
      {
       "name": "reason",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "failureDomain",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "memoryBudgetBytes",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "memoryUsedBytes",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numReplicas",
       "number": 11,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "secondsPerActiveExpert",
       "number": 12,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "secondsPerToken",
       "number": 13,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "memoryBytesPerSecond",
       "number": 14,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numCores",
       "number": 15,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "provider",
       "number": 16,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "tokenShare",
       "number": 17,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "utilisation",
       "number": 18,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "meanRoundTripMs",
       "number": 19,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "numFailedCalls",
       "number": 20,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "epoch",
       "number": 21,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "quarantined",
       "number": 22,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "numDamagedExperts",
       "number": 23,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numWithdrawnExperts",
       "number": 24,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "lastDamage",
       "number": 25,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "CoordinatorView",
     "field": [
      {
       "name": "coordinatorId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "adminAddress",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "isLeader",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "isAlive",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "placementVersion",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "generationTokensPerSecond",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "promptTokensPerSecond",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "numRunning",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "numWaiting",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "kvCacheUsage",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      }
     ]
    },
    {
     "name": "WorkerCommand",
     "field": [
      {
       "name": "workerId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "actor",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "untilRestart",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL",
       "oneofIndex": 0,
       "proto3Optional": true
      }
     ],
     "oneofDecl": [
      {
       "name": "_until_restart"
      }
     ]
    },
    {
     "name": "CommandOutcome",
     "field": [
      {
       "name": "message",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "GetPlacementRequest",
     "field": [
      {
       "name": "version",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "PlacementView",
     "field": [
      {
       "name": "version",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "epoch",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "policy",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "actor",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "reason",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "createdMs",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT64"
      },
      {
       "name": "workerIds",
       "number": 7,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      },
      {
       "name": "layers",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlacementLayer"
      },
      {
       "name": "balance",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.BalanceView"
      },
      {
       "name": "numExperts",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "PlacementLayer",
     "field": [
      {
       "name": "layerIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "offsets",
       "number": 2,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "workerIndices",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "expertTokens",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_DOUBLE"
      }
     ]
    },
    {
     "name": "PlanRequest",
     "field": [
      {
       "name": "policy",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "redundantExperts",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "survive",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 1,
       "proto3Optional": true
      },
      {
       "name": "workerIds",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      },
      {
       "name": "timeBudgetSeconds",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      }
     ],
     "oneofDecl": [
      {
       "name": "_redundant_experts"
      },
      {
       "name": "_survive"
      }
     ]
    },
    {
     "name": "PlacementPlan",
     "field": [
      {
       "name": "baseVersion",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "placement",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlacementView"
      },
      {
       "name": "before",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.BalanceView"
      },
      {
       "name": "after",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.BalanceView"
      },
      {
       "name": "bytesToMove",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numLoads",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "numDrops",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "moves",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.WorkerMove"
      },
      {
       "name": "observedTokens",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "remarks",
       "number": 10,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "WorkerMove",
     "field": [
      {
       "name": "workerId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "layerIndex",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "load",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "drop",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "ApplyRequest",
     "field": [
      {
       "name": "plan",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlacementPlan"
      },
      {
       "name": "actor",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "RollbackRequest",
     "field": [
      {
       "name": "toVersion",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "expectedVersion",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "actor",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "RebalanceRequest",
     "field": [
      {
       "name": "plan",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlanRequest"
      },
      {
       "name": "dryRun",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "actor",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "ChangeProgress",
     "field": [
      {
       "name": "state",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.ChangeProgress.State"
      },
      {
       "name": "fromVersion",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "toVersion",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "layersDone",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "layersTotal",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "bytesDone",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "bytesTotal",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "message",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "plan",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlacementPlan"
      }
     ],
     "enumType": [
      {
       "name": "State",
       "value": [
        {
         "name": "STATE_UNSPECIFIED",
         "number": 0
        },
        {
         "name": "STATE_PLANNED",
         "number": 1
        },
        {
         "name": "STATE_MOVING",
         "number": 2
        },
        {
         "name": "STATE_DONE",
         "number": 3
        },
        {
         "name": "STATE_ROLLING_BACK",
         "number": 4
        },
        {
         "name": "STATE_ROLLED_BACK",
         "number": 5
        },
        {
         "name": "STATE_NOT_NEEDED",
         "number": 6
        }
       ]
      }
     ]
    },
    {
     "name": "ListPlacementsRequest",
     "field": [
      {
       "name": "limit",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "PlacementHistory",
     "field": [
      {
       "name": "placements",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.PlacementView"
      }
     ]
    },
    {
     "name": "ListAuditRequest",
     "field": [
      {
       "name": "limit",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "AuditLog",
     "field": [
      {
       "name": "records",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.AuditRecord"
      }
     ]
    },
    {
     "name": "AuditRecord",
     "field": [
      {
       "name": "timeMs",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT64"
      },
      {
       "name": "actor",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "action",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "before",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "after",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "outcome",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "GetExpertStatsRequest",
     "field": [
      {
       "name": "window",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "withCoactivations",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      }
     ]
    },
    {
     "name": "ExpertStats",
     "field": [
      {
       "name": "window",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "numTokens",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numSteps",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numExperts",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "topK",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "layers",
       "number": 6,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.LayerExpertStats"
      },
      {
       "name": "balance",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.BalanceView"
      },
      {
       "name": "hottestExperts",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.HotExpert"
      },
      {
       "name": "numDeadExperts",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "drift",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "loadBalancingLoss",
       "number": 11,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "alarms",
       "number": 12,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Alarm"
      }
     ]
    },
    {
     "name": "LayerExpertStats",
     "field": [
      {
       "name": "layerIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "tokens",
       "number": 2,
       "label": "LABEL_REPEATED",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "activeSteps",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "coactivations",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "balancedness",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "gini",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "loadBalancingLoss",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      }
     ]
    },
    {
     "name": "BalanceView",
     "field": [
      {
       "name": "meanBalancedness",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "worstBalancedness",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "worstLayerIndex",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "meanWeightedBalancedness",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "worstWeightedBalancedness",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "stepSeconds",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "workersPerToken",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "gini",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      }
     ]
    },
    {
     "name": "HotExpert",
     "field": [
      {
       "name": "layerIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "expertId",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "share",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "timesMean",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "workerIds",
       "number": 5,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "Alarm",
     "field": [
      {
       "name": "name",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "message",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "sinceMs",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT64"
      }
     ]
    },
    {
     "name": "RecordRoutesRequest",
     "field": [
      {
       "name": "maxTokens",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    },
    {
     "name": "TraceChunk",
     "field": [
      {
       "name": "data",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BYTES"
      },
      {
       "name": "numTokens",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      }
     ]
    }
   ],
   "enumType": [
    {
     "name": "WorkerAvailability",
     "value": [
      {
       "name": "WORKER_AVAILABILITY_UNSPECIFIED",
       "number": 0
      },
      {
       "name": "WORKER_AVAILABILITY_JOINING",
       "number": 1
      },
      {
       "name": "WORKER_AVAILABILITY_UP",
       "number": 2
      },
      {
       "name": "WORKER_AVAILABILITY_AWAY",
       "number": 3
      }
     ]
    },
    {
     "name": "WorkerAdmission",
     "value": [
      {
       "name": "WORKER_ADMISSION_UNSPECIFIED",
       "number": 0
      },
      {
       "name": "WORKER_ADMISSION_ACCEPTING",
       "number": 1
      },
      {
       "name": "WORKER_ADMISSION_CORDONED",
       "number": 2
      },
      {
       "name": "WORKER_ADMISSION_DRAINING",
       "number": 3
      },
      {
       "name": "WORKER_ADMISSION_DRAINED",
       "number": 4
      }
     ]
    }
   ],
   "service": [
    {
     "name": "AdminService",
     "method": [
      {
       "name": "GetCluster",
       "inputType": ".expertmesh.v1.GetClusterRequest",
       "outputType": ".expertmesh.v1.ClusterView"
      },
      {
       "name": "WatchCluster",
       "inputType": ".expertmesh.v1.WatchClusterRequest",
       "outputType": ".expertmesh.v1.ClusterView",
       "serverStreaming": true
      },
      {
       "name": "CordonWorker",
       "inputType": ".expertmesh.v1.WorkerCommand",
       "outputType": ".expertmesh.v1.CommandOutcome"
      },
      {
       "name": "UncordonWorker",
       "inputType": ".expertmesh.v1.WorkerCommand",
       "outputType": ".expertmesh.v1.CommandOutcome"
      },
      {
       "name": "DrainWorker",
       "inputType": ".expertmesh.v1.WorkerCommand",
       "outputType": ".expertmesh.v1.ChangeProgress",
       "serverStreaming": true
      },
      {
       "name": "RemoveWorker",
       "inputType": ".expertmesh.v1.WorkerCommand",
       "outputType": ".expertmesh.v1.CommandOutcome"
      },
      {
       "name": "GetPlacement",
       "inputType": ".expertmesh.v1.GetPlacementRequest",
       "outputType": ".expertmesh.v1.PlacementView"
      },
      {
       "name": "PlanPlacement",
       "inputType": ".expertmesh.v1.PlanRequest",
       "outputType": ".expertmesh.v1.PlacementPlan"
      },
      {
       "name": "ApplyPlacement",
       "inputType": ".expertmesh.v1.ApplyRequest",
       "outputType": ".expertmesh.v1.ChangeProgress",
       "serverStreaming": true
      },
      {
       "name": "ListPlacements",
       "inputType": ".expertmesh.v1.ListPlacementsRequest",
       "outputType": ".expertmesh.v1.PlacementHistory"
      },
      {
       "name": "RollbackPlacement",
       "inputType": ".expertmesh.v1.RollbackRequest",
       "outputType": ".expertmesh.v1.ChangeProgress",
       "serverStreaming": true
      },
      {
       "name": "Rebalance",
       "inputType": ".expertmesh.v1.RebalanceRequest",
       "outputType": ".expertmesh.v1.ChangeProgress",
       "serverStreaming": true
      },
      {
       "name": "ListAudit",
       "inputType": ".expertmesh.v1.ListAuditRequest",
       "outputType": ".expertmesh.v1.AuditLog"
      },
      {
       "name": "GetExpertStats",
       "inputType": ".expertmesh.v1.GetExpertStatsRequest",
       "outputType": ".expertmesh.v1.ExpertStats"
      },
      {
       "name": "RecordRoutes",
       "inputType": ".expertmesh.v1.RecordRoutesRequest",
       "outputType": ".expertmesh.v1.TraceChunk",
       "serverStreaming": true
      }
     ]
    }
   ],
   "syntax": "proto3"
  },
  {
   "name": "expertmesh/v1/expert.proto",
   "package": "expertmesh.v1",
   "messageType": [
    {
     "name": "DispatchRequest",
     "field": [
      {
       "name": "callId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "layerIndex",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "placementVersion",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numRows",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "hiddenSize",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "rowDtype",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.RowDtype"
      },
      {
       "name": "rowOffsets",
       "number": 7,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FIXED32"
      },
      {
       "name": "expertIds",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FIXED32"
      },
      {
       "name": "routingWeights",
       "number": 9,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FLOAT"
      },
      {
       "name": "sumUnits",
       "number": 10,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FLOAT"
      },
      {
       "name": "storeId",
       "number": 11,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BYTES"
      },
      {
       "name": "checksum",
       "number": 12,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_FIXED32",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "rowScales",
       "number": 13,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FLOAT"
      },
      {
       "name": "rows",
       "number": 15,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BYTES"
      }
     ],
     "oneofDecl": [
      {
       "name": "_checksum"
      }
     ],
     "reservedRange": [
      {
       "start": 14,
       "end": 15
      }
     ]
    },
    {
     "name": "DispatchResponse",
     "field": [
      {
       "name": "callId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "layerIndex",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "placementVersion",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64"
      },
      {
       "name": "numRows",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "hiddenSize",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "rowDtype",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".expertmesh.v1.RowDtype"
      },
      {
       "name": "numPairs",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "error",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.DispatchError"
      },
      {
       "name": "queueUs",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "computeUs",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "numCallsTogether",
       "number": 11,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "checksum",
       "number": 12,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_FIXED32",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "rowScales",
       "number": 13,
       "label": "LABEL_REPEATED",
       "type": "TYPE_FLOAT"
      },
      {
       "name": "rows",
       "number": 15,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BYTES"
      }
     ],
     "oneofDecl": [
      {
       "name": "_checksum"
      }
     ],
     "reservedRange": [
      {
       "start": 14,
       "end": 15
      }
     ]
    },
    {
     "name": "DispatchError",
     "field": [
      {
       "name": "code",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "message",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "missingExpertIds",
       "number": 3,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      }
     ]
    }
   ],
   "enumType": [
    {
     "name": "RowDtype",
     "value": [
      {
       "name": "ROW_DTYPE_UNSPECIFIED",
       "number": 0
      },
      {
       "name": "ROW_DTYPE_FP32",
       "number": 1
      },
      {
       "name": "ROW_DTYPE_FP16",
       "number": 2
      },
      {
       "name": "ROW_DTYPE_INT8",
       "number": 3
      },
      {
       "name": "ROW_DTYPE_EXACT",
       "number": 4
      }
     ]
    }
   ],
   "service": [
    {
     "name": "ExpertService",
     "method": [
      {
       "name": "Dispatch",
       "inputType": ".expertmesh.v1.DispatchRequest",
       "outputType": ".expertmesh.v1.DispatchResponse",
       "clientStreaming": true,
       "serverStreaming": true
      }
     ]
    }
   ],
   "syntax": "proto3"
  },
  {
   "name": "expertmesh/v1/inference.proto",
   "package": "expertmesh.v1",
   "messageType": [
    {
     "name": "GenerateRequest",
     "field": [
      {
       "name": "model",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "text",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "tokenIds",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.TokenIds",
       "oneofIndex": 0
      },
      {
       "name": "chat",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Chat",
       "oneofIndex": 0
      },
      {
       "name": "sampling",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.SamplingParams"
      },
      {
       "name": "maxTokens",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 1,
       "proto3Optional": true
      },
      {
       "name": "stop",
       "number": 6,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      },
      {
       "name": "stopTokenIds",
       "number": 7,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "ignoreEos",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "minTokens",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "logitBias",
       "number": 11,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.GenerateRequest.LogitBiasEntry"
      },
      {
       "name": "badWords",
       "number": 12,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      },
      {
       "name": "allowedTokenIds",
       "number": 13,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "logprobs",
       "number": 14,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 2,
       "proto3Optional": true
      },
      {
       "name": "promptLogprobs",
       "number": 15,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 3,
       "proto3Optional": true
      },
      {
       "name": "numAnswers",
       "number": 16,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "bestOf",
       "number": 17,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 4,
       "proto3Optional": true
      },
      {
       "name": "constraint",
       "number": 18,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Constraint"
      },
      {
       "name": "priority",
       "number": 19,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT32"
      },
      {
       "name": "cacheSalt",
       "number": 20,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "timeoutMs",
       "number": 21,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 5,
       "proto3Optional": true
      },
      {
       "name": "includeStop",
       "number": 22,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "keepSpecialTokens",
       "number": 23,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "truncatePromptTokens",
       "number": 24,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_INT32",
       "oneofIndex": 6,
       "proto3Optional": true
      }
     ],
     "nestedType": [
      {
       "name": "LogitBiasEntry",
       "field": [
        {
         "name": "key",
         "number": 1,
         "label": "LABEL_OPTIONAL",
         "type": "TYPE_UINT32"
        },
        {
         "name": "value",
         "number": 2,
         "label": "LABEL_OPTIONAL",
         "type": "TYPE_DOUBLE"
        }
       ],
       "options": {
        "mapEntry": true
       }
      }
     ],
     "oneofDecl": [
      {
       "name": "prompt"
      },
      {
       "name": "_max_tokens"
      },
      {
       "name": "_logprobs"
      },
      {
       "name": "_prompt_logprobs"
      },
      {
       "name": "_best_of"
      },
      {
       "name": "_timeout_ms"
      },
      {
       "name": "_truncate_prompt_tokens"
      }
     ]
    },
    {
     "name": "TokenIds",
     "field": [
      {
       "name": "ids",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "SamplingParams",
     "field": [
      {
       "name": "temperature",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "topK",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 1,
       "proto3Optional": true
      },
      {
       "name": "topP",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 2,
       "proto3Optional": true
      },
      {
       "name": "minP",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 3,
       "proto3Optional": true
      },
      {
       "name": "repetitionPenalty",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 4,
       "proto3Optional": true
      },
      {
       "name": "presencePenalty",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 5,
       "proto3Optional": true
      },
      {
       "name": "frequencyPenalty",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE",
       "oneofIndex": 6,
       "proto3Optional": true
      },
      {
       "name": "seed",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT64",
       "oneofIndex": 7,
       "proto3Optional": true
      }
     ],
     "oneofDecl": [
      {
       "name": "_temperature"
      },
      {
       "name": "_top_k"
      },
      {
       "name": "_top_p"
      },
      {
       "name": "_min_p"
      },
      {
       "name": "_repetition_penalty"
      },
      {
       "name": "_presence_penalty"
      },
      {
       "name": "_frequency_penalty"
      },
      {
       "name": "_seed"
      }
     ]
    },
    {
     "name": "Constraint",
     "field": [
      {
       "name": "jsonObject",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL",
       "oneofIndex": 0
      },
      {
       "name": "jsonSchema",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "regex",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "choice",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Choices",
       "oneofIndex": 0
      },
      {
       "name": "grammar",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      }
     ],
     "oneofDecl": [
      {
       "name": "kind"
      }
     ]
    },
    {
     "name": "Choices",
     "field": [
      {
       "name": "choices",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "Chat",
     "field": [
      {
       "name": "messages",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Message"
      },
      {
       "name": "tools",
       "number": 2,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Tool"
      },
      {
       "name": "toolChoice",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.ToolChoice"
      },
      {
       "name": "singleToolCall",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "thinking",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Thinking"
      },
      {
       "name": "addGenerationPrompt",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "continueFinalMessage",
       "number": 7,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      },
      {
       "name": "templateVariables",
       "number": 8,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "chatTemplate",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "documents",
       "number": 10,
       "label": "LABEL_REPEATED",
       "type": "TYPE_STRING"
      }
     ],
     "oneofDecl": [
      {
       "name": "_add_generation_prompt"
      }
     ]
    },
    {
     "name": "Message",
     "field": [
      {
       "name": "role",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "content",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "reasoning",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "toolCalls",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.ToolCall"
      },
      {
       "name": "toolCallId",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "name",
       "number": 6,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "ToolCall",
     "field": [
      {
       "name": "id",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "name",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "arguments",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "Tool",
     "field": [
      {
       "name": "name",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "description",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "parameters",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "strict",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      }
     ]
    },
    {
     "name": "ToolChoice",
     "field": [
      {
       "name": "mode",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "named",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      }
     ],
     "oneofDecl": [
      {
       "name": "choice"
      }
     ]
    },
    {
     "name": "Thinking",
     "field": [
      {
       "name": "mode",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "budgetTokens",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 0,
       "proto3Optional": true
      },
      {
       "name": "effort",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ],
     "oneofDecl": [
      {
       "name": "_budget_tokens"
      }
     ]
    },
    {
     "name": "GenerateResponse",
     "field": [
      {
       "name": "tokenIds",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "text",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "finishReason",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "usage",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Usage"
      },
      {
       "name": "answerIndex",
       "number": 5,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "logprobs",
       "number": 6,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.TokenLogprobs"
      },
      {
       "name": "promptLogprobs",
       "number": 7,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.TokenLogprobs"
      },
      {
       "name": "parts",
       "number": 8,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.ChatPart"
      },
      {
       "name": "stopString",
       "number": 9,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "stopTokenId",
       "number": 10,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32",
       "oneofIndex": 0
      }
     ],
     "oneofDecl": [
      {
       "name": "stop_reason"
      }
     ]
    },
    {
     "name": "TokenLogprob",
     "field": [
      {
       "name": "tokenId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "logprob",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      }
     ]
    },
    {
     "name": "TokenLogprobs",
     "field": [
      {
       "name": "tokenId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "logprob",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_DOUBLE"
      },
      {
       "name": "rank",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "top",
       "number": 4,
       "label": "LABEL_REPEATED",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.TokenLogprob"
      }
     ]
    },
    {
     "name": "ChatPart",
     "field": [
      {
       "name": "reasoning",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "content",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "callStart",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.CallStart",
       "oneofIndex": 0
      },
      {
       "name": "callArguments",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.CallArguments",
       "oneofIndex": 0
      }
     ],
     "oneofDecl": [
      {
       "name": "part"
      }
     ]
    },
    {
     "name": "CallStart",
     "field": [
      {
       "name": "callIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "name",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "CallArguments",
     "field": [
      {
       "name": "callIndex",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "text",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "Usage",
     "field": [
      {
       "name": "promptTokens",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "completionTokens",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "reasoningTokens",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      },
      {
       "name": "cachedTokens",
       "number": 4,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "TokenizeRequest",
     "field": [
      {
       "name": "model",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "text",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING",
       "oneofIndex": 0
      },
      {
       "name": "chat",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_MESSAGE",
       "typeName": ".expertmesh.v1.Chat",
       "oneofIndex": 0
      }
     ],
     "oneofDecl": [
      {
       "name": "prompt"
      }
     ]
    },
    {
     "name": "TokenizeResponse",
     "field": [
      {
       "name": "tokenIds",
       "number": 1,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "maxModelLen",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_UINT32"
      }
     ]
    },
    {
     "name": "DetokenizeRequest",
     "field": [
      {
       "name": "model",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "tokenIds",
       "number": 2,
       "label": "LABEL_REPEATED",
       "type": "TYPE_UINT32"
      },
      {
       "name": "skipSpecialTokens",
       "number": 3,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BOOL"
      }
     ]
    },
    {
     "name": "DetokenizeResponse",
     "field": [
      {
       "name": "text",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    }
   ],
   "service": [
    {
     "name": "InferenceService",
     "method": [
      {
       "name": "Generate",
       "inputType": ".expertmesh.v1.GenerateRequest",
       "outputType": ".expertmesh.v1.GenerateResponse",
       "serverStreaming": true
      },
      {
       "name": "Tokenize",
       "inputType": ".expertmesh.v1.TokenizeRequest",
       "outputType": ".expertmesh.v1.TokenizeResponse"
      },
      {
       "name": "Detokenize",
       "inputType": ".expertmesh.v1.DetokenizeRequest",
       "outputType": ".expertmesh.v1.DetokenizeResponse"
      }
     ]
    }
   ],
   "syntax": "proto3"
  },
  {
   "name": "expertmesh/v1/store.proto",
   "package": "expertmesh.v1",
   "messageType": [
    {
     "name": "ReadFileRequest",
     "field": [
      {
       "name": "storeId",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      },
      {
       "name": "path",
       "number": 2,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "FileChunk",
     "field": [
      {
       "name": "data",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_BYTES"
      }
     ]
    }
   ],
   "service": [
    {
     "name": "StoreService",
     "method": [
      {
       "name": "ReadFile",
       "inputType": ".expertmesh.v1.ReadFileRequest",
       "outputType": ".expertmesh.v1.FileChunk",
       "serverStreaming": true
      }
     ]
    }
   ],
   "syntax": "proto3"
  },
  {
   "name": "grpc/health/v1/health.proto",
   "package": "grpc.health.v1",
   "messageType": [
    {
     "name": "HealthCheckRequest",
     "field": [
      {
       "name": "service",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_STRING"
      }
     ]
    },
    {
     "name": "HealthCheckResponse",
     "field": [
      {
       "name": "status",
       "number": 1,
       "label": "LABEL_OPTIONAL",
       "type": "TYPE_ENUM",
       "typeName": ".grpc.health.v1.HealthCheckResponse.ServingStatus"
      }
     ],
     "enumType": [
      {
       "name": "ServingStatus",
       "value": [
        {
         "name": "UNKNOWN",
         "number": 0
        },
        {
         "name": "SERVING",
         "number": 1
        },
        {
         "name": "NOT_SERVING",
         "number": 2
        },
        {
         "name": "SERVICE_UNKNOWN",
         "number": 3
        }
       ]
      }
     ]
    }
   ],
   "service": [
    {
     "name": "Health",
     "method": [
      {
       "name": "Check",
       "inputType": ".grpc.health.v1.HealthCheckRequest",
       "outputType": ".grpc.health.v1.HealthCheckResponse"
      },
      {
       "name": "Watch",
       "inputType": ".grpc.health.v1.HealthCheckRequest",
       "outputType": ".grpc.health.v1.HealthCheckResponse",
       "serverStreaming": true
      }
     ]
    }
   ],
   "syntax": "proto3"
  }
 ]
};
