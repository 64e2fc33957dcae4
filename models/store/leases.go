package store

import "time"

// lease is what one replica does for all of them until it expires.
type lease struct {
	Name      string `gorm:"primaryKey"`
	Holder    string
	Fence     uint64
	ExpiresAt time.Time
}

// TableName names its table.
func (lease) TableName() string { return "leases" }

// TakeLease gives the holder the lease until then, or renews its own, and answers the fence, which
// rises with every new holder. ErrUnchanged: another's has not expired at now.
func (h *Hub) TakeLease(name, holder string, now, until time.Time) (fence uint64, err error) {
	row, err := takeAny[lease](h.handle, is("name", name))
	switch {
	case err != nil:
		return 0, err
	case row == nil:
		done := h.db.Clauses(doNothing()).Create(&lease{Name: name, Holder: holder, Fence: 1,
			ExpiresAt: until})
		return 1, exactlyOne(done.RowsAffected, h.tx.fail(done.Error))
	case row.Holder == holder:
		return row.Fence, setOne[lease](h.handle, values{"expires_at": until},
			is("name", name), is("holder", holder), is("fence", row.Fence))
	case now.Before(row.ExpiresAt):
		return 0, ErrUnchanged
	}
	return row.Fence + 1, setOne[lease](h.handle,
		values{"holder": holder, "fence": row.Fence + 1, "expires_at": until},
		is("name", name), is("fence", row.Fence))
}

// LeaseFence answers the fence of the lease's last holder, or ErrNotFound where nobody had it.
func (h *Hub) LeaseFence(name string) (uint64, error) {
	row, err := take[lease](h.handle, is("name", name))
	return row.Fence, err
}

// EndLease lets the next holder begin at once. That the lease is another's is no error.
func (h *Hub) EndLease(name, holder string, now time.Time) error {
	_, err := set[lease](h.handle, values{"expires_at": now}, is("name", name),
		is("holder", holder), after("expires_at", now))
	return err
}
