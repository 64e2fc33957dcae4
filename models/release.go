package models

import "time"

// ReleaseState is where a release stands with the vendor.
type ReleaseState string

// The states of a release. Recalled is absorbing.
const (
	ReleaseDraft     ReleaseState = "draft"
	ReleasePublished ReleaseState = "published"
	ReleasePaused    ReleaseState = "paused"
	ReleaseRecalled  ReleaseState = "recalled"
)

// Valid says whether s is one of the states.
func (s ReleaseState) Valid() bool {
	switch s {
	case ReleaseDraft, ReleasePublished, ReleasePaused, ReleaseRecalled:
		return true
	}
	return false
}

// Requirements is what a release asks of every member before it may start (R23).
type Requirements struct {
	MinVersion  Version  `json:"min_version,omitempty"`
	Via         Version  `json:"via,omitempty"` // an intermediate release to be on first
	DiskBytes   int64    `json:"disk_bytes,omitempty"`
	MemoryBytes int64    `json:"memory_bytes,omitempty"`
	Packages    []string `json:"packages,omitempty"`
}

// UpdateOrder says who goes first (R17).
type UpdateOrder string

// The orders. The default is the publisher first.
const (
	PublisherFirst   UpdateOrder = "publisher_first"
	SubscribersFirst UpdateOrder = "subscribers_first"
)

// Release is a bundle that the vendor offers to the clusters of a channel.
type Release struct {
	ID           ReleaseID `gorm:"primaryKey"`
	Version      Version   // unique in its channel
	Kind         Kind
	State        ReleaseState
	Channel      string
	Digest       string // lower-case hex SHA-256 of the bundle
	Size         int64
	Requirements Requirements `gorm:"serializer:json"`
	Order        UpdateOrder  `gorm:"column:update_order"`
	Notes        string
	CreatedAt    time.Time
	PublishedAt  *time.Time
	EndedAt      *time.Time // when it was recalled
}
