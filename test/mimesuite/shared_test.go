package mimesuite

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// shared returns a file or folder of the suites, which are no part of this repository.
// Where they aren't, the test skips; it fails when RMILTER_SHARED names their folder.
func shared(t testing.TB, sub string) string {
	t.Helper()
	root := os.Getenv("RMILTER_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	path := filepath.Join(root, sub)
	if _, err := os.Stat(path); err != nil {
		missing(t, fmt.Sprintf("no suites: %v (RMILTER_SHARED names their folder)", err))
	}
	return path
}

// missing skips, or fails when somebody said where the suites are.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("RMILTER_SHARED") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// A mailFile is one message of the corpus.
type mailFile struct {
	name string
	raw  []byte
}

// corpus returns the development corpus, or skips the test. Under the race detector it
// is every tenth message.
func corpus(t testing.TB) []mailFile {
	t.Helper()
	archive := shared(t, "corpus/dev.tar.zst")
	all, err := unpack(archive)
	if err != nil || len(all) < 1000 {
		t.Fatalf("%s: %d messages, %v", archive, len(all), err)
	}
	if !underRace {
		return all
	}
	var some []mailFile
	for i := 0; i < len(all); i += 10 {
		some = append(some, all[i])
	}
	return some
}

// unpack reads the archive once.
var unpack = func() func(string) ([]mailFile, error) {
	var once sync.Once
	var all []mailFile
	var err error
	return func(archive string) ([]mailFile, error) {
		once.Do(func() { all, err = readArchive(archive) })
		return all, err
	}
}()

func readArchive(archive string) (all []mailFile, err error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || strings.HasSuffix(h.Name, ".tsv") {
			continue
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		all = append(all, mailFile{h.Name, raw})
	}
}

// filesBelow returns the files below a folder, in order.
func filesBelow(t testing.TB, dir string, want func(name string) bool) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && want(path) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// read returns the content of a file.
func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
