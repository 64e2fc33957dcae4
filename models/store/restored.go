package store

import "connecthub/models"

// VoidRecoveryCodes removes every recovery code of the hub: one that was used since the backup would
// work again (R34). Passkeys stay.
func (h *Hub) VoidRecoveryCodes() (int64, error) {
	return remove[models.RecoveryCode](h.handle, isNot("id_hash", ""))
}
