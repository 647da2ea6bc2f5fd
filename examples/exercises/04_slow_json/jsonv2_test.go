//go:build goexperiment.jsonv2

package slow_json

func init() { variants = append(variants, variant{"jsonv2", sender((*Sender).WriteJSONv2)}) }
