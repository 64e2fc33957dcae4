package journal

import (
	"bytes"
	"fmt"
)

// Line is a body as one line with its checksum, for whoever keeps a journal of other records. The body
// holds no line feed.
func Line(body []byte) []byte { return fmt.Appendf(nil, "%08x %s\n", checksum(body), body) }

// Lines calls each with the body of every line, and answers the length of the good part: only the very
// end may be torn. A line that was once complete and is not what it was is ErrDamaged.
func Lines(raw []byte, each func(body []byte) error) (int64, error) {
	good := int64(0)
	for good < int64(len(raw)) {
		line, _, whole := bytes.Cut(raw[good:], []byte("\n"))
		if !whole {
			return good, nil
		}
		end := good + int64(len(line)) + 1
		head, body, ok := bytes.Cut(line, []byte(" "))
		if !ok || string(head) != fmt.Sprintf("%08x", checksum(body)) {
			if end == int64(len(raw)) && bytes.IndexByte(line, 0) >= 0 {
				return good, nil
			}
			return good, fmt.Errorf("%w: at byte %d", ErrDamaged, good)
		}
		if err := each(body); err != nil {
			return good, err
		}
		good = end
	}
	return good, nil
}
