package log

import (
	"os"
	"syscall"
)

// syncData waits until what was written is on disk. The file keeps its length, so
// nothing of what describes it needs to be written.
func syncData(file *os.File) error {
	for {
		err := syscall.Fdatasync(int(file.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}
