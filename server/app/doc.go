// Package app puts the hub together and runs it: the one place on the hub's side that knows every
// package and tells the time. It knows no rule.
package app
