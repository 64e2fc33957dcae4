package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"connecthub/hub/keys"
	"connecthub/hub/seal"
	"connecthub/models/store"
	"connecthub/server/config"
)

// credentialName is the seal key's name among the service manager's credentials.
const credentialName = "seal-key"

// markText is what the database keeps under the seal key to know it again.
const markText = "connecthub"

// sealRing is the keys that seal the hub's secrets, and where they are from.
type sealRing struct {
	keys []seal.Key
	from string
	own  bool // the hub's own file, which it made itself
}

// findSealKeys looks where an operator may put the seal key, and at last at the file that the hub
// makes itself. No key anywhere is no failure yet.
func findSealKeys(c config.Config) (sealRing, error) {
	ring := sealRing{from: c.SealKeyFile}
	var err error
	switch credential := filepath.Join(c.Credentials, credentialName); {
	case c.SealKeyFile != "":
		ring.keys, err = seal.ReadKeys(c.SealKeyFile)
	case c.SealKey != "":
		ring.from = config.SealKeyVariable
		ring.keys, err = seal.ParseKeys([]byte(c.SealKey.Reveal()))
	case c.Credentials != "" && exists(credential):
		ring.from = credential
		ring.keys, err = seal.ReadKeys(credential)
	default:
		ring.from, ring.own = c.OwnSealKey(), true
		ring.keys, err = seal.ReadKeys(c.OwnSealKey())
		if errors.Is(err, fs.ErrNotExist) {
			return ring, nil
		}
	}
	if err != nil {
		return ring, fmt.Errorf("cannot take the seal key from %s: %w", ring.from, err)
	}
	return ring, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openSealer refuses to go on without the key, or with another than the hub's secrets are sealed
// with: a hub that made itself a new one would have lost every node without a word. Only where
// nothing is sealed yet it makes the key.
func openSealer(ctx context.Context, c config.Config, s *store.Store) (*seal.Sealer, error) {
	ring, err := findSealKeys(c)
	if err != nil {
		return nil, err
	}
	by, err := sealedBy(ctx, c, s)
	if err != nil {
		return nil, err
	}
	if len(ring.keys) == 0 {
		if len(by) > 0 {
			return nil, cure(c, fmt.Errorf("%s is not there, and they are sealed with key %s",
				ring.from, by[0]))
		}
		if err := os.MkdirAll(c.Keys(), 0o700); err != nil {
			return nil, fmt.Errorf("cannot create the folder of keys: %w", err)
		}
		if ring.keys, err = seal.CreateKeys(c.OwnSealKey()); err != nil {
			return nil, err
		}
	}
	sealer, err := seal.New(ring.keys...)
	if err != nil {
		return nil, err
	}
	for _, id := range by { // before a mark is left: with a wrong key it would lock out the right one
		if !sealer.Has(id) {
			err = fmt.Errorf("%w (key %s)", seal.ErrNoKey, id)
		}
	}
	if err == nil {
		err = checkMark(ctx, s, sealer)
	}
	if err != nil {
		return nil, cured(c, fmt.Errorf("%w; %s holds key %s", err, ring.from, sealer.Current()))
	}
	return sealer, nil
}

// cured says what to do where an error is one of the seal key.
func cured(c config.Config, err error) error {
	if errors.Is(err, seal.ErrNoKey) {
		return cure(c, err)
	}
	return err
}

func cure(c config.Config, err error) error {
	return fmt.Errorf("cannot open the hub's sealed secrets: %w.\nGive the key that this hub was "+
		"started with before: --seal-key-file FILE, %s, the service manager's credential %q, or %s "+
		"from the backup", err, config.SealKeyVariable, credentialName, c.OwnSealKey())
}

func markPlace() seal.Place { return seal.Place{Purpose: seal.HubMark, Row: "hub"} }

// sealedBy answers the keys of what is sealed already.
func sealedBy(ctx context.Context, c config.Config, s *store.Store) ([]seal.KeyID, error) {
	var mark string
	err := s.View(ctx, func(tx *store.Tx) (err error) {
		mark, err = tx.Hub().SealMark()
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("cannot read the mark of the seal key: %w", err)
	}
	texts := []string{mark}
	for _, path := range sealedFiles(c) {
		text, err := readStart(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read a sealed file: %w", err)
		}
		texts = append(texts, strings.TrimSpace(text))
	}
	var by []seal.KeyID
	for _, text := range texts {
		if !seal.IsSealed([]byte(text)) {
			continue
		}
		id, err := seal.KeyOf(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read the key of a sealed secret: %w", err)
		}
		by = append(by, id)
	}
	return by, nil
}

func readStart(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 64<<10))
	return string(text), err
}

// sealedFiles are the secrets beside the database.
func sealedFiles(c config.Config) []string {
	return []string{filepath.Join(c.Keys(), keys.FileName),
		filepath.Join(c.Certificates(), caName+".key"),
		filepath.Join(c.Certificates(), leafName+".key")}
}

// checkMark leaves the mark at the first start, and opens it at every other.
func checkMark(ctx context.Context, s *store.Store, sealer *seal.Sealer) error {
	mine, err := sealer.Seal(markPlace(), []byte(markText))
	if err != nil {
		return err
	}
	var mark string
	err = s.Update(ctx, func(tx *store.Tx) (err error) {
		if mark, err = tx.Hub().SealMark(); errors.Is(err, store.ErrNotFound) {
			mark = mine
			return tx.Hub().SetSealMark(mine)
		}
		return err
	})
	if errors.Is(err, store.ErrUnchanged) { // another replica was first
		return checkMark(ctx, s, sealer)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the mark of the seal key: %w", err)
	}
	if _, err := sealer.Open(markPlace(), mark); err != nil {
		return err
	}
	return nil
}

// rotation is what a change of the seal key did.
type rotation struct {
	key           seal.KeyID
	values, files int
	obsolete      []seal.KeyID // no longer needed in an operator's key file
}

// rotate puts everything sealed under the first key of the ring. The hub's own key file gets a new
// one before; with a key of the operator's the new one is the first line of it. At every moment
// what is on disk opens with what is on disk, so that a rotation that was cut off is begun again.
func rotate(ctx context.Context, c config.Config, s *store.Store) (rotation, error) {
	ring, err := findSealKeys(c)
	if err != nil {
		return rotation{}, err
	}
	makes := ring.own && c.Embedded()
	if makes && len(ring.keys) == 1 { // more: one that was cut off goes on
		key, err := seal.NewKey()
		if err != nil {
			return rotation{}, err
		}
		ring.keys = append([]seal.Key{key}, ring.keys...)
		if err := seal.WriteKeys(c.OwnSealKey(), ring.keys...); err != nil {
			return rotation{}, fmt.Errorf("cannot write the new seal key: %w", err)
		}
	}
	sealer, err := seal.New(ring.keys...)
	if err != nil {
		return rotation{}, err
	}
	done := rotation{key: sealer.Current()}
	if done.values, err = resealRows(ctx, s, sealer); err != nil {
		return rotation{}, cured(c, err)
	}
	if done.files, err = resealFiles(c, sealer); err != nil {
		return rotation{}, cured(c, err)
	}
	if makes {
		err = seal.WriteKeys(c.OwnSealKey(), ring.keys[0])
		return done, err
	}
	for _, key := range ring.keys[1:] {
		done.obsolete = append(done.obsolete, key.ID())
	}
	return done, nil
}

func resealRows(ctx context.Context, s *store.Store, sealer *seal.Sealer) (changed int, err error) {
	err = s.Update(ctx, func(tx *store.Tx) error {
		changed = 0
		all, err := tx.Hub().SealedValues()
		if err != nil {
			return err
		}
		for _, v := range all {
			text, err := sealer.Rewrap(v.Text)
			if err != nil {
				return fmt.Errorf("%s.%s of %s: %w", v.Table, v.Column, v.ID, err)
			}
			if text == v.Text {
				continue
			}
			if err := tx.Hub().Reseal(v, text); err != nil {
				return err
			}
			changed++
		}
		return nil
	})
	return changed, err
}

func resealFiles(c config.Config, sealer *seal.Sealer) (changed int, err error) {
	for _, path := range sealedFiles(c) {
		text, err := readStart(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return changed, fmt.Errorf("cannot read a sealed file: %w", err)
		}
		if _, err := sealer.ReadFile(placeOf(path), path); err != nil {
			return changed, fmt.Errorf("cannot seal a file anew: %w", err)
		}
		if now, err := readStart(path); err == nil && now != text {
			changed++
		}
	}
	return changed, nil
}

// placeOf is where the content of a sealed file belongs.
func placeOf(path string) seal.Place {
	name := filepath.Base(path)
	if name == keys.FileName {
		return keys.Place()
	}
	return certificatePlace(strings.TrimSuffix(name, ".key"))
}
