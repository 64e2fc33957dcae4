// Package localweb is the node's own page on :8445, where its administrator sees how the node
// stands and allows or denies a registration. It knows no permits and stores nothing.
package localweb
