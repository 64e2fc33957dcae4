// Package walk is the way of docs/orchestration.md, step by step, as one test: a hub, two control
// nodes, machines behind real SSH servers and a real mail server, each its own process. It has no
// product code.
package walk
