package adminapi

import "connecthub/models"

// pending answers for an operation whose use case is not there yet.
func pending() error {
	return &models.Refusal{Kind: models.KindUnavailable, Code: "unavailable"}
}
