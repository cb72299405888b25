package embedded

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	records "github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble takes a manifest that is cut short or garbage for one that ends there, and then
// removes every file that it doesn't name. So the store notes beside each manifest how
// many bytes of it are on the disk, and opens none that has fewer good ones.
const (
	manifestPrefix = "MANIFEST-"
	notePrefix     = "synced."
)

// note writes down how many bytes of a manifest are on the disk.
func note(fs vfs.FS, manifest string, size int64) error {
	dir, name := fs.PathDir(manifest), fs.PathBase(manifest)
	final := fs.PathJoin(dir, notePrefix+name)
	f, err := fs.Create(final+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d\n", size)
	if err = errors.Join(err, private(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return fs.Rename(final+".new", final)
}

// checkFolder returns an error when pebble would take what is in a folder for less than
// it is.
func checkFolder(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	found, err := pebble.Peek(dir, fs)
	if err != nil {
		return err
	}
	if !found.Exists {
		return checkEmpty(fs, dir, names)
	}
	manifest := fs.PathBase(found.ManifestFilename)
	noted, err := readAll(fs, fs.PathJoin(dir, notePrefix+manifest), 32)
	if err != nil {
		return fmt.Errorf("%s: how long it is isn't known: %w", manifest, cause(err))
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(noted)), 10, 64)
	if err != nil {
		return fmt.Errorf("%s%s: reads %q, not a number", notePrefix, manifest, noted)
	}
	return checkManifest(fs, fs.PathJoin(dir, manifest), size)
}

// checkEmpty wants no data in a folder that seems to be new.
func checkEmpty(fs vfs.FS, dir string, names []string) error {
	for _, name := range names {
		table, log := strings.HasSuffix(name, ".sst"), strings.HasSuffix(name, ".log")
		if !table && !log {
			continue
		}
		if info, err := fs.Stat(fs.PathJoin(dir, name)); err != nil || table || info.Size() > 0 {
			return fmt.Errorf("%s is there, but no marker.manifest", name)
		}
	}
	return nil
}

// checkManifest wants good records in the first bytes of a manifest.
func checkManifest(fs vfs.FS, path string, size int64) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := fs.PathBase(path)
	if info, err := f.Stat(); err != nil || info.Size() < size {
		return fmt.Errorf("%s is shorter than the %d bytes that were written", name, size)
	}
	r := records.NewReader(io.LimitReader(f, size), 0)
	for {
		at := r.Offset()
		one, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, one)
		}
		if err == io.EOF && at >= size {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s is unreadable at byte %d of %d: %w", name, at, size, err)
		}
	}
}

// readAll reads a small file.
func readAll(fs vfs.FS, path string, limit int64) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
