package pgsink

// Points in time and days. The server counts from the year 2000.

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

const (
	epoch2000 = 946_684_800 // 2000-01-01 in seconds of Unix

	// What the server can store, in seconds since 2000: from 4714-11-24 BC to before 294277-01-01.
	minTimestamp = -211_813_488_000
	endTimestamp = 9_223_371_331_200

	// The same for days: from 4714-11-24 BC to before 5874898-01-01.
	minDate = -2_451_545
	endDate = 2_145_031_949

	secondsPerDay = 86_400
)

// Timestamptz writes points in time to timestamp with time zone columns: microseconds, of which
// fractions are cut off. An item whose time is not between the years 4714 BC and 294276 fails
// alone. The zero time.Time is a point in time, in the year 1: see [Column.NullIf].
func Timestamptz[T any](name string, get func(item *T) time.Time) Column[T] {
	return newColumn("Timestamptz", "timestamp with time zone", name, get,
		only(oidTimestamptz, appendTimestamptz))
}

// Timestamp writes to timestamp without time zone columns what a clock on the wall shows in the
// time's own location: use t.UTC() where that is meant. For the rest it is as [Timestamptz].
func Timestamp[T any](name string, get func(item *T) time.Time) Column[T] {
	return newColumn("Timestamp", "timestamp without time zone", name, get,
		only(oidTimestamp, appendTimestamp))
}

// Date writes to date columns the day that the calendar shows in the time's own location. An item
// whose day is not between the years 4714 BC and 5874897 fails alone.
func Date[T any](name string, get func(item *T) time.Time) Column[T] {
	return newColumn("Date", "date", name, get, only(oidDate, appendDate))
}

func appendTimestamptz(dst []byte, t time.Time) ([]byte, error) {
	return appendMicroseconds(dst, t.Unix(), t)
}

func appendTimestamp(dst []byte, t time.Time) ([]byte, error) {
	return appendMicroseconds(dst, wallClock(t), t)
}

func appendMicroseconds(dst []byte, unix int64, t time.Time) ([]byte, error) {
	if unix < minTimestamp+epoch2000 || unix >= endTimestamp+epoch2000 {
		return nil, fmt.Errorf("the year %d is out of the range of a timestamp", t.Year())
	}
	micros := (unix-epoch2000)*1e6 + int64(t.Nanosecond())/1e3
	return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(micros)), nil
}

func appendDate(dst []byte, t time.Time) ([]byte, error) {
	seconds := wallClock(t)
	days := seconds / secondsPerDay
	if seconds%secondsPerDay < 0 {
		days-- // the division rounds towards 1970
	}
	if days -= epoch2000 / secondsPerDay; days < minDate || days >= endDate {
		return nil, fmt.Errorf("the year %d is out of the range of a date", t.Year())
	}
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(int32(days))), nil
}

// wallClock returns the seconds of Unix at which a clock in UTC shows what one in t's location
// shows at t. Times that are out of every range stay so.
func wallClock(t time.Time) int64 {
	_, offset := t.Zone()
	return min(max(t.Unix(), math.MinInt64/2), math.MaxInt64/2) + int64(offset)
}
