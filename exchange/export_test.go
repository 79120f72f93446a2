package exchange

// CheckSnapshot reads a snapshot as recovery does.
func CheckSnapshot(dir string, sequence uint64) error {
	_, err := readSnapshot(snapshotDir(dir), sequence)
	return err
}
