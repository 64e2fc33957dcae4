package download

import (
	"errors"
	"fmt"
	"syscall"

	"connecthub/nodeclient/fetch"
)

// NoSpace refuses a download that would fill the partition.
type NoSpace struct{ Needed, Free, Reserve int64 }

// Error is the English sentence.
func (n *NoSpace) Error() string { return n.Sentence("en") }

// Unwrap is fetch.ErrNoSpace.
func (*NoSpace) Unwrap() error { return fetch.ErrNoSpace }

// Sentence answers in "ja" or English.
func (n *NoSpace) Sentence(language string) string {
	const mib = 1 << 20
	if language == "ja" {
		return fmt.Sprintf("共通パーティションの空き容量が不足しています。必要 %d MiB(予約 %d MiB を含む)、空き %d MiB。ディスクを拡張してください。",
			n.Needed/mib, n.Reserve/mib, n.Free/mib)
	}
	return fmt.Sprintf("The common partition has not enough room: %d MiB are needed (%d MiB of them stay in reserve), "+
		"%d MiB are free. Grow the disk.", n.Needed/mib, n.Reserve/mib, n.Free/mib)
}

// partition asks the file system.
func partition(dir string) (size, free int64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("cannot ask for free space: %w", err)
	}
	free, err = fetch.FreeSpace(dir)
	return int64(min(st.Blocks, 1<<40)) * st.Bsize, free, err
}

// sentence is an error as a person reads it.
func sentence(err error, language string) string {
	var spoken interface{ Sentence(string) string }
	switch {
	case errors.As(err, &spoken):
		return spoken.Sentence(language)
	case errors.Is(err, fetch.ErrNoSpace) && language == "ja":
		return "ダウンロード中に共通パーティションの空き容量が不足しました。ディスクを拡張してください。"
	case errors.Is(err, fetch.ErrNoSpace):
		return "The common partition ran out of room while software was downloaded. Grow the disk."
	case errors.Is(err, fetch.ErrDigest) || errors.Is(err, fetch.ErrSize):
		if language == "ja" {
			return "ダウンロードしたファイルがリポジトリのチェックサムと一致しません: " + err.Error()
		}
	case language == "ja":
		return "ダウンロードに失敗しました: " + err.Error()
	}
	return "The download failed: " + err.Error()
}
