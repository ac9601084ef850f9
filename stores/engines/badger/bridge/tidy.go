package main

import (
	"os"
	"path/filepath"
	"syscall"
)

// tidy removes empty logs, which a process leaves that is killed between creating one and giving it its size. Badger
// v4.5.0 would refuse to open such a database for ever ("Create a new file"). They hold nothing. Badger's lock is held
// meanwhile, so no log of a live process is touched; where it is taken, Badger's own open says so right after.
func tidy(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close() // lets go of the lock as well
	if syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil
	}
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		logs, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return err
		}
		for _, name := range logs {
			if info, err := os.Stat(name); err == nil && info.Size() == 0 {
				if err := os.Remove(name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
