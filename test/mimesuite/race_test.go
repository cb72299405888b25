//go:build race

package mimesuite

// underRace tells whether the race detector watches, which makes all slow.
const underRace = true
