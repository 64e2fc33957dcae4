// Package handlers is what every HTTP handler of the hub stands on: one echo instance with its
// limits, one way from an error to a problem document, one line of log a request. It knows no use
// cases.
package handlers
