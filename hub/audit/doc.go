// Package audit reads the log of changes: it finds and exports records, checks that nobody has
// touched their chain, signs where it stands and removes what is too old. It writes no record and
// knows nothing of what was changed.
package audit
