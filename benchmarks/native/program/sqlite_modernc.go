//go:build modernc

package main

// The same SQLite, made Go by a compiler, to show what the driver decides. A build of its own: its start and its memory
// would be in the figures of the others.
import _ "modernc.org/sqlite"

func init() {
	drivers["sqlite-modernc"] = driver{"sqlite", "_pragma=journal_mode(WAL)&_pragma=synchronous(%s)"}
}
