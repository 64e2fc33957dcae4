package store

import (
	"time"

	"connecthub/models"
)

// CreateRelease stores a release; an empty ID is filled. It refuses a version that the channel has
// (ReleaseVersion).
func (h *Hub) CreateRelease(r *models.Release) error {
	if r.ID == "" {
		r.ID = NewID[models.ReleaseID](h.tx)
	}
	return create(h.handle, r)
}

// Releases lists a channel's releases in every state, newest first; an empty channel is all.
func (h *Hub) Releases(channel string) ([]models.Release, error) {
	var conditions []where
	if channel != "" {
		conditions = append(conditions, is("channel", channel))
	}
	return list[models.Release](h.handle, by("created_at", "id").newestFirst(), 0, conditions...)
}

// ReleaseByID answers the release or ErrNotFound.
func (h *Hub) ReleaseByID(id models.ReleaseID) (models.Release, error) {
	return take[models.Release](h.handle, is("id", id))
}

// ReleaseByVersion answers the channel's release of that version, or ErrNotFound.
func (h *Hub) ReleaseByVersion(channel string, v models.Version) (models.Release, error) {
	return take[models.Release](h.handle, is("channel", channel), is("version", v))
}

// ReleasesByDigest lists the releases of one bundle: two channels may offer the same.
func (h *Hub) ReleasesByDigest(digest string) ([]models.Release, error) {
	return list[models.Release](h.handle, by("id"), 0, is("digest", digest))
}

// SetReleaseState moves a release from one state to another and notes when it was published first
// or recalled; ErrUnchanged when it is not in that state.
func (h *Hub) SetReleaseState(id models.ReleaseID, from, to models.ReleaseState, now time.Time) error {
	change := values{"state": to}
	switch to {
	case models.ReleasePublished:
		if from == models.ReleaseDraft {
			change["published_at"] = now
		}
	case models.ReleaseRecalled:
		change["ended_at"] = now
	case models.ReleaseDraft, models.ReleasePaused:
	}
	return setOne[models.Release](h.handle, change, is("id", id), is("state", from))
}
