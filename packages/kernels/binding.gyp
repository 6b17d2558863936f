{
  "target_defaults": {
    "cflags_cc": ["-std=gnu++17", "-O3", "-ffp-contract=off", "-Wall", "-Wextra"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "gnu++17",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "OTHER_CFLAGS": ["-ffp-contract=off"]
    }
  },
  "targets": [
    {
      "target_name": "portable",
      "type": "static_library",
      "sources": ["native/isa/portable.cpp"]
    },
    {
      "target_name": "core",
      "type": "static_library",
      "sources": [
        "native/core/crc32c.cpp",
        "native/core/dense-layer.cpp",
        "native/core/expert-layer.cpp",
        "native/core/head.cpp",
        "native/core/isa.cpp",
        "native/core/kv-pool.cpp",
        "native/core/linear.cpp",
        "native/core/mapped-file.cpp",
        "native/core/thread-team.cpp",
        "native/core/whole-layers.cpp",
        "native/core/work-queue.cpp",
        "native/core/workspace.cpp"
      ]
    },
    {
      "target_name": "expertmesh_kernels",
      "sources": ["native/addon/addon.cpp", "native/addon/calls.cpp", "native/addon/pool.cpp"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS"],
      "dependencies": ["core", "portable"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["avx512vnni", "avxvnni", "avx2"] }],
        ["target_arch=='arm64'", { "dependencies": ["neon"] }]
      ]
    }
  ],
  "conditions": [
    [
      "target_arch=='x64'",
      {
        "targets": [
          {
            "target_name": "avx512vnni",
            "type": "static_library",
            "sources": ["native/isa/avx512vnni.cpp"],
            "cflags_cc": [
              "-mavx2",
              "-mfma",
              "-mf16c",
              "-mavx512f",
              "-mavx512bw",
              "-mavx512vl",
              "-mavx512dq",
              "-mavx512vnni",
              "-Wno-uninitialized",
              "-Wno-maybe-uninitialized"
            ],
            "xcode_settings": {
              "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]
            }
          },
          {
            "target_name": "avxvnni",
            "type": "static_library",
            "sources": ["native/isa/avxvnni.cpp"],
            "cflags_cc": ["-mavx2", "-mfma", "-mf16c", "-mavxvnni"],
            "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma", "-mf16c", "-mavxvnni"] }
          },
          {
            "target_name": "avx2",
            "type": "static_library",
            "sources": ["native/isa/avx2.cpp"],
            "cflags_cc": ["-mavx2", "-mfma", "-mf16c"],
            "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma", "-mf16c"] }
          }
        ]
      }
    ],
    [
      "target_arch=='arm64'",
      {
        "targets": [
          {
            "target_name": "neon",
            "type": "static_library",
            "sources": ["native/isa/neon.cpp"],
            "cflags_cc": ["-march=armv8.2-a+dotprod"]
          }
        ]
      }
    ]
  ]
}
