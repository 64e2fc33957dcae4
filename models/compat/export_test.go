package compat

// LoadFrom reads facts from elsewhere, so that a test sees a changed fact fail.
var LoadFrom = load
