package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

type record struct {
	Seq   uint64 `json:"seq"`
	State State  `json:"state"`
}

func format(r record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil || len(body) > maxRecord {
		return nil, fmt.Errorf("cannot write record of %d bytes: %w", len(body), err)
	}
	return fmt.Appendf(nil, "%08x %s\n", checksum(body), body), nil
}

func parse(line []byte) (record, error) {
	var sum uint32
	var r record
	head, body, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(head) != 8 || len(body) > maxRecord {
		return r, ErrDamaged
	}
	if _, err := fmt.Sscanf(string(head), "%08x", &sum); err != nil || sum != checksum(body) {
		return r, ErrDamaged
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return r, ErrDamaged
	}
	return r, nil
}

func checksum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

// scan returns the last record and the length of the good part. Only the very end may be torn: a
// line that never got its end, or one that a crash left with holes of zeros.
func scan(raw []byte) (record, int64, error) {
	var last record
	var good int64
	for good < int64(len(raw)) {
		line, _, whole := bytes.Cut(raw[good:], []byte("\n"))
		end := good + int64(len(line)) + 1
		if !whole {
			return last, good, nil
		}
		r, err := parse(line)
		if err != nil && end == int64(len(raw)) && bytes.IndexByte(line, 0) >= 0 {
			return last, good, nil
		}
		if err != nil || (good > 0 && r.Seq != last.Seq+1) {
			return last, good, fmt.Errorf("%w: after record %d", ErrDamaged, last.Seq)
		}
		last, good = r, end
	}
	return last, good, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read journal: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("cannot read journal of %d bytes: %w", info.Size(), ErrDamaged)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read journal: %w", err)
	}
	return raw, nil
}
