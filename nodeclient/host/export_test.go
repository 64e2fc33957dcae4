package host

// Configured is what the machine's list goes through.
var Configured = configured
