/**
 * Switches off ONNX Runtime's telemetry, which on Linux is on by default since 1.30: it keeps a device id and a
 * database under the user's cache directory and uploads events. Inference here is private.
 *
 * To be imported before anything that may load ONNX Runtime, and in the main thread: the library reads the process's
 * own environment, of which other threads have only a copy.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
