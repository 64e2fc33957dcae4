package wire

import (
	"time"

	"connecthub/models"
)

// CloudViewRequest is what the publisher shows of its contact center (opt-in of its administrator).
// Document is absent where nothing is shown any more: the hub then deletes what it holds.
type CloudViewRequest struct {
	Document *models.CloudDocument `json:"document,omitempty"`
}

// CloudViewResponse says that the hub holds exactly what was sent.
type CloudViewResponse struct {
	Kept bool      `json:"kept"`
	Now  time.Time `json:"now"`
}
