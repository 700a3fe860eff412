package programs

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDownload serves this machine's programs in the layout of a Maven repository. On other systems, the programs do
// not run without their libraries. The test is not parallel: if another test forks while the unpacked programs are open
// for writing, the system refuses to run them.
func TestDownload(t *testing.T) { //nolint:paralleltest // It forks.
	local, err := Finder{Getenv: os.Getenv, Version: AskVersion}.Find(t.Context())
	require.NoError(t, err)
	if prefix := filepath.Dir(local.Dir); prefix == "/usr" || prefix == "/usr/local" {
		t.Skip("the programs are not in a folder of their own")
	}
	jar := zipOf(t, "postgres-linux.txz", xzOf(tarOf(t, local)))
	sum := sha256.Sum256(jar)
	var requests []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.URL.Path)
		body := jar
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			body = []byte(hex.EncodeToString(sum[:]))
		}
		_, _ = w.Write(body)
	}))
	defer server.Close()

	// Another user, who may not enter t.TempDir, runs the programs for root.
	cache, err := os.MkdirTemp("", "programs-test-*")
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(cache)) }()
	require.NoError(t, os.Chmod(cache, 0o755))
	dir := filepath.Join(cache, DownloadVersion)
	require.NoError(t, Download(t.Context(), server.URL+"/maven/", dir))
	require.Len(t, requests, 2, "the archive and its checksum")
	require.True(t, strings.HasPrefix(requests[0], "/maven/io/zonky/test/postgres/"))
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	found, err := Finder{Root: cache, Downloads: cache, Getenv: func(string) string { return "" }, Version: AskVersion}.Find(t.Context())
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "bin"), found.Dir)
	data := filepath.Join(cache, "data")
	require.NoError(t, os.Mkdir(data, 0o700))
	initdb := exec.Command(found.Path("initdb"), "--no-sync", "-D", data)
	initdb.Dir = "/"
	if os.Geteuid() == 0 {
		const nobody = 65534
		require.NoError(t, os.Chown(data, nobody, nobody))
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	output, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// TestFailedDownload serves missing and invalid archives. Nothing of them may stay, and nothing may be written outside
// the directory.
func TestFailedDownload(t *testing.T) {
	t.Parallel()
	outside := tarOfOne(t, &tar.Header{Typeflag: tar.TypeReg, Name: "../../../outside", Mode: 0o600})
	through := tarOfOne(t, &tar.Header{Typeflag: tar.TypeLink, Name: "bin/postgres", Linkname: "../../outside"})
	for _, test := range []struct {
		name     string
		jar      []byte
		checksum func(sum string) string
		message  string
	}{
		{"no archive", nil, nil, "404"},
		{"no checksum", zipOf(t, "postgres.txz", nil), nil, ".sha256: 404"},
		{"another checksum", zipOf(t, "postgres.txz", nil), func(string) string { return strings.Repeat("0", 64) }, "checksum"},
		{"an empty checksum", zipOf(t, "postgres.txz", nil), func(string) string { return "" }, "checksum"},
		{"no zip", []byte("<html>"), same, "unpack"},
		{"no txz in it", zipOf(t, "postgres.tar", nil), same, "no .txz"},
		{"no xz", zipOf(t, "postgres.txz", []byte("plain")), same, "unpack"},
		{"no tar", zipOf(t, "postgres.txz", xzOf(bytes.Repeat([]byte("plain"), 1000))), same, "unpack"},
		{"a file outside", zipOf(t, "postgres.txz", xzOf(outside)), same, "escapes"},
		{"a hard link", zipOf(t, "postgres.txz", xzOf(through)), same, "neither a file nor a link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sum := sha256.Sum256(test.jar)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				isChecksum := strings.HasSuffix(r.URL.Path, ".sha256")
				switch {
				case isChecksum && test.checksum != nil:
					_, _ = w.Write([]byte(test.checksum(hex.EncodeToString(sum[:]))))
				case !isChecksum && test.jar != nil:
					_, _ = w.Write(test.jar)
				default:
					http.NotFound(w, r)
				}
			}))
			defer server.Close()
			parent := t.TempDir()
			cache := filepath.Join(parent, "cache")
			require.NoError(t, os.Mkdir(cache, 0o755))
			require.ErrorContains(t, Download(t.Context(), server.URL, filepath.Join(cache, "new")), test.message)
			entries, err := os.ReadDir(cache)
			require.NoError(t, err)
			require.Empty(t, entries)
			require.NoFileExists(t, filepath.Join(parent, "outside"))
		})
	}
}

func same(sum string) string { return sum }

func tarOfOne(t *testing.T, header *tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	require.NoError(t, writer.WriteHeader(header))
	require.NoError(t, writer.Close())
	return out.Bytes()
}

// tarOf packs the programs that a server needs, with their libraries and data. Other users cannot read the files, as
// with a strict umask.
func tarOf(t *testing.T, p Programs) []byte {
	t.Helper()
	prefix := filepath.Dir(p.Dir)
	var files []string
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		files = append(files, p.Path(name))
	}
	for _, pattern := range []string{"lib/*.so", "share/*", "share/*/*"} {
		found, err := filepath.Glob(filepath.Join(prefix, pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, path := range files {
		info, err := os.Stat(path)
		require.NoError(t, err)
		if !info.Mode().IsRegular() {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		name, err := filepath.Rel(prefix, path)
		require.NoError(t, err)
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode() & 0o700), Size: int64(len(text))}
		require.NoError(t, writer.WriteHeader(header))
		_, err = writer.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return out.Bytes()
}

func zipOf(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	writer := zip.NewWriter(&out)
	file, err := writer.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return out.Bytes()
}

// xzOf writes the xz format without compression, which it allows in chunks of up to 64 KiB.
func xzOf(content []byte) []byte {
	le := binary.LittleEndian
	sum := func(p []byte) []byte { return le.AppendUint32(nil, crc32.ChecksumIEEE(p)) }
	varint := func(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }
	padded := func(p []byte) []byte { return append(p, make([]byte, (4-len(p)%4)%4)...) }

	flags := []byte{0, 1} // checked with CRC-32
	out := append([]byte("\xfd7zXZ\x00"), append(flags, sum(flags)...)...)

	header := []byte{2, 0, 0x21, 1, 18, 0, 0, 0} // one LZMA2 filter, 2 MiB dictionary
	block := slices.Concat(header, sum(header))
	for offset := 0; offset < len(content); offset += 1 << 16 {
		chunk := content[offset:min(offset+1<<16, len(content))]
		control := byte(2)
		if offset == 0 {
			control = 1 // resets the dictionary
		}
		block = append(block, control)
		block = binary.BigEndian.AppendUint16(block, uint16(len(chunk)-1))
		block = append(block, chunk...)
	}
	block = append(block, 0)
	unpadded := len(block) + 4
	block = append(padded(block), sum(content)...)
	out = append(out, block...)

	index := padded(append(append([]byte{0, 1}, varint(unpadded)...), varint(len(content))...))
	index = append(index, sum(index)...)
	out = append(out, index...)

	footer := append(le.AppendUint32(nil, uint32(len(index)/4-1)), flags...)
	out = append(out, sum(footer)...)
	out = append(out, footer...)
	return append(out, 'Y', 'Z')
}
