package audit_test

import (
	"reflect"
	"time"

	"connecthub/models"
)

// fieldsOf are the fields of a record by name, to be changed in place.
func fieldsOf(r *models.AuditRecord) map[string]reflect.Value {
	fields := make(map[string]reflect.Value)
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		fields[v.Type().Field(i).Name] = v.Field(i)
	}
	return fields
}

func change(v reflect.Value) {
	switch x := v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(x.Add(time.Microsecond)))
	case int, int64:
		v.SetInt(v.Int() + 1)
	default:
		v.SetString(v.String() + "x")
	}
}
