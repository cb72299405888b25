package redis

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
)

//go:embed bucket.lua
var bucketText string

//go:embed take.lua
var takeText string

//go:embed give.lua
var giveText string

//go:embed put.lua
var putText string

//go:embed add.lua
var addText string

//go:embed lease.lua
var leaseText string

//go:embed probe.lua
var probeText string

// A script is one in Lua that works on a single key.
type script struct {
	text string
	sum  string // by which the server knows it
}

var (
	takeScript  = newScript(bucketText + takeText)
	giveScript  = newScript(bucketText + giveText)
	putScript   = newScript(putText)
	addScript   = newScript(addText)
	leaseScript = newScript(leaseText)
)

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text))
	return &script{text, hex.EncodeToString(sum[:])}
}
