package models

// Fence orders the permits of one cluster: it only grows (R21). The incarnation rises when a hub
// was restored from a backup (R34), the counter with each permit.
type Fence struct {
	Incarnation uint64 `json:"incarnation"`
	Counter     uint64 `json:"counter"`
}

// Less says whether f is older than g.
func (f Fence) Less(g Fence) bool {
	if f.Incarnation != g.Incarnation {
		return f.Incarnation < g.Incarnation
	}
	return f.Counter < g.Counter
}

// Zero says whether no permit was ever given.
func (f Fence) Zero() bool { return f == Fence{} }
