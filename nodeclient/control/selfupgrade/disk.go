package selfupgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"connecthub/models"
)

// NeedsDisk is what Cloud Connect 12.6 needs: vSphere's 246 GB. Counted in thousands, a disk of 246
// GB by either measure has it, and one of 146 GB has not.
const NeedsDisk = 246_000_000_000

const (
	sectorBytes = 512
	beforeDisk  = models.Version("12.5")
	fromDisk    = models.Version("12.6")
)

// DiskError says that the disk must be grown first.
type DiskError struct {
	To  models.Version
	Has int64
}

// Error says what is missing. The size is read again whenever this is asked, and so after the start.
func (e *DiskError) Error() string {
	return fmt.Sprintf("%s needs a disk of 246 GB, and this node has %d GB", e.To, e.GB())
}

// GB is the disk's size in thousand millions of bytes.
func (e *DiskError) GB() int64 { return e.Has / 1_000_000_000 }

// CheckDisk refuses the way from 12.5 to 12.6 or later on a disk that is too small, with *DiskError.
// size reads how large the disk is now.
func CheckDisk(from, to models.Version, size func() (int64, error)) error {
	if from.Less(beforeDisk) || !from.Less(fromDisk) || to.Less(fromDisk) {
		return nil
	}
	has, err := size()
	if err != nil {
		return err
	}
	if has < NeedsDisk {
		return &DiskError{To: to, Has: has}
	}
	return nil
}

// DiskSize is the size of the disk that holds a folder: the block device's, where the kernel names one,
// else the file system's.
func DiskSize(dir string) (int64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, fmt.Errorf("cannot measure the disk of %s: %w", dir, err)
	}
	// As makedev(3) puts them together.
	major := (st.Dev>>8)&0xfff | (st.Dev>>32)&^uint64(0xfff)
	minor := st.Dev&0xff | (st.Dev>>12)&^uint64(0xff)
	if size, ok := blockSize("/sys", fmt.Sprintf("%d:%d", major, minor)); ok {
		return size, nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("cannot measure the disk of %s: %w", dir, err)
	}
	return int64(fs.Blocks) * fs.Bsize, nil
}

// blockSize is the size of the whole disk that a device is, or is a partition of. Below a volume of
// several disks there is no one disk to ask: then the volume's own size counts.
func blockSize(sys, device string) (int64, bool) {
	real, err := filepath.EvalSymlinks(filepath.Join(sys, "dev/block", device))
	if err != nil {
		return 0, false
	}
	if _, err := os.Stat(filepath.Join(real, "partition")); err == nil {
		real = filepath.Dir(real)
	}
	text, err := os.ReadFile(filepath.Join(real, "size"))
	if err != nil {
		return 0, false
	}
	sectors, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || sectors <= 0 || sectors > 1<<50 {
		return 0, false
	}
	return sectors * sectorBytes, true
}
