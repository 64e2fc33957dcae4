package window

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

//go:generate sh -c "go run connecthub/tools/zonedata -goroot \"$(go env GOROOT)\" -out zones.tar.gz"

// packedZones is the copy of the IANA data that every replica of a build shares. Nothing in this
// package reads the machine's zone data: time.LoadLocation would prefer them.
//
//go:embed zones.tar.gz
var packedZones []byte

// ErrZone is the refusal of a name that is no zone of the built-in data.
var ErrZone = errors.New("not a time zone of the IANA database")

// Zone is a time zone of the built-in data. Two Zones of one name are equal (==); the zero Zone is
// none, and NewRule refuses it.
type Zone struct{ z *zone }

type zone struct {
	name string
	loc  *time.Location
}

// Name is the IANA name, as it was given to LoadZone.
func (z Zone) Name() string {
	if z.z == nil {
		return ""
	}
	return z.z.name
}

func (z Zone) String() string { return z.Name() }

// Location serves to show an instant in the zone. For the zero Zone it is UTC.
func (z Zone) Location() *time.Location {
	if z.z == nil {
		return time.UTC
	}
	return z.z.loc
}

// LoadZone finds a zone by its exact IANA name (links such as US/Pacific included). It refuses
// everything else with ErrZone: "", "Local", other spellings, paths, offsets.
func LoadZone(name string) (Zone, error) {
	z, err := builtIn().load(name)
	if err != nil {
		return Zone{}, fmt.Errorf("cannot load zone %.64q: %w", name, err)
	}
	return Zone{z}, nil
}

// ZoneNames lists every zone that LoadZone accepts, in alphabetical order.
func ZoneNames() []string { return slices.Clone(builtIn().names) }

// ZoneDataVersion is the release of the built-in IANA data, such as 2025c. Replicas of different
// releases may disagree about a window, so that /healthz shows it.
func ZoneDataVersion() string { return builtIn().version }

// database holds the data of all zones, and each zone that was asked for once.
type database struct {
	version string
	names   []string
	files   map[string][]byte

	mu     sync.RWMutex
	loaded map[string]*zone
}

// builtIn unpacks the data at their first use. They are part of the program and have been tested
// with it: damage here is damage of the executable, and nothing sensible can follow.
var builtIn = sync.OnceValue(func() *database {
	db, err := unpack(packedZones)
	if err != nil {
		panic(fmt.Sprintf("built-in zone data: %v", err))
	}
	return db
})

func unpack(packed []byte) (*database, error) {
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("cannot unpack zone data: %w", err)
	}
	db := &database{
		version: zr.Comment,
		files:   make(map[string][]byte),
		loaded:  make(map[string]*zone),
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(db.names)
			return db, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot unpack zone data: %w", err)
		}
		data := db.files[h.Linkname]
		if h.Typeflag == tar.TypeReg {
			if data, err = io.ReadAll(tr); err != nil {
				return nil, fmt.Errorf("cannot unpack zone %s: %w", h.Name, err)
			}
		}
		if len(data) == 0 {
			return nil, fmt.Errorf("cannot unpack zone %s: it is empty", h.Name)
		}
		db.files[h.Name] = data
		db.names = append(db.names, h.Name)
	}
}

func (db *database) load(name string) (*zone, error) {
	db.mu.RLock()
	z := db.loaded[name]
	db.mu.RUnlock()
	if z != nil {
		return z, nil
	}
	data, ok := db.files[name]
	if !ok {
		return nil, ErrZone
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if z := db.loaded[name]; z != nil {
		return z, nil
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		return nil, err
	}
	z = &zone{name: name, loc: loc}
	db.loaded[name] = z
	return z, nil
}
