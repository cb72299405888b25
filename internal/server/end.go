package server

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What the end waits for after the drain, at most. A disk or a store that hangs must not
// keep the next process from starting.
const (
	partingTime = 5 * time.Second  // scan requests under way
	errandsTime = 3 * time.Second  // what is to be remembered of the last messages
	closeTime   = 3 * time.Second  // stores that close
	endTime     = 15 * time.Second // all of it, with the connections that are told to come again
)

// drain begins the end: sessions are served to theirs, for shutdown_timeout at most.
func (d *daemon) drain(sig os.Signal) (chan struct{}, context.CancelFunc) {
	d.milter.Drain() // before anybody is told of it
	d.mu.Lock()
	d.draining = true
	timeout := d.conf.Server.ShutdownTimeout.Std()
	notify(fmt.Sprintf("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=%d", (timeout + endTime).Microseconds()))
	d.mu.Unlock()
	d.log.Info("draining", "signal", sig.String(), "connections", d.milter.Open(), "ends_within", (timeout + endTime).String(), "timeout", timeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.milter.Shutdown(ctx); err != nil {
			d.log.Warn("connections cut off", "reason", err.Error())
		}
	}()
	return done, cancel
}

// end stops what is left.
func (d *daemon) end() {
	runtime.KeepAlive(d.ballast)
	ctx, cancel := context.WithTimeout(context.Background(), partingTime)
	defer cancel()
	var parting sync.WaitGroup
	parting.Go(func() {
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		d.control.Shutdown(soon)
	})
	// Mail that is being judged for others is worth a wait; the drain was one already.
	if err := d.worker.Shutdown(ctx); err != nil {
		d.log.Warn("scan requests cut off", "reason", err.Error())
	}
	parting.Wait()
	within(ctx, d.serving.Wait)
	d.closeState()
	// A process that was started meanwhile has written its own.
	if b, err := os.ReadFile(d.pidfile); err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(os.Getpid()) {
		os.Remove(d.pidfile)
	}
	d.log.Info("stopped")
}

// within runs f until it returns, or ctx ends and it is left to itself: then it is false.
func within(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
