#include "op_kernel.h"

#include <algorithm>
#include <new>

namespace megablocks {

int64_t size_of(const Shape& shape) {
  int64_t size = 1;
  for (int64_t dim : shape) size *= dim;
  return size;
}

namespace {
/// `any`, where there is one, stands for sizes that are negative.
std::string list_of(const Shape& shape, const char* any) {
  std::string text;
  for (int64_t dim : shape) {
    text += (text.empty() ? "" : ",") + (dim < 0 && any != nullptr ? any : std::to_string(dim));
  }
  return "[" + text + "]";
}
}  // namespace

std::string text_of(const Shape& shape) { return list_of(shape, nullptr); }

template <typename T>
int64_t Input<T>::size() const {
  return size_of(shape);
}
template struct Input<float>;
template struct Input<int32_t>;

Attributes::Attributes(TF_OpKernelConstruction* construction)
    : construction_(construction), status_(TF_NewStatus()) {}
Attributes::~Attributes() { TF_DeleteStatus(status_); }

void Attributes::check(const char* name) {
  if (TF_GetCode(status_) != TF_OK) {
    throw InvalidInput(std::string("attribute ") + name + ": " + TF_Message(status_));
  }
}

int64_t Attributes::integer(const char* name, int64_t least, int64_t most) {
  int32_t value = 0;
  TF_OpKernelConstruction_GetAttrInt32(construction_, name, &value, status_);
  check(name);
  if (value < least || value > most) {
    const std::string range = most == INT32_MAX
                                  ? "at least " + std::to_string(least)
                                  : "from " + std::to_string(least) + " to " + std::to_string(most);
    throw InvalidInput(std::string(name) + " must be " + range + ", got " + std::to_string(value));
  }
  return value;
}

float Attributes::number(const char* name) {
  float value = 0;
  TF_OpKernelConstruction_GetAttrFloat(construction_, name, &value, status_);
  check(name);
  return value;
}

bool Attributes::boolean(const char* name) {
  unsigned char value = 0;
  TF_OpKernelConstruction_GetAttrBool(construction_, name, &value, status_);
  check(name);
  return value != 0;
}

std::string Attributes::word(const char* name) {
  char value[32] = {};
  TF_OpKernelConstruction_GetAttrString(construction_, name, value, sizeof value - 1, status_);
  check(name);
  return value;
}

int Attributes::choice(const char* name, std::initializer_list<const char*> choices) {
  const std::string value = word(name);
  int place = 0;
  std::string all;
  for (const char* candidate : choices) {
    if (value == candidate) return place;
    all += std::string(place++ > 0 ? ", '" : "'") + candidate + "'";
  }
  throw InvalidInput(std::string(name) + " must be one of " + all + ", got '" + value + "'");
}

Context::Context(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}

Context::~Context() {
  for (TF_Tensor* tensor : tensors_) TF_DeleteTensor(tensor);
  TF_DeleteStatus(status_);
}

namespace {
Shape shape_of(const TF_Tensor* tensor) {
  Shape shape(TF_NumDims(tensor));
  for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor, axis);
  return shape;
}

template <typename T>
Input<T> view(const TF_Tensor* tensor) {
  return {static_cast<const T*>(TF_TensorData(tensor)), shape_of(tensor)};
}

/// Whether a shape is as it must be, -1 fitting any size.
bool fits(const Shape& actual, const Shape& expected) {
  return std::equal(actual.begin(), actual.end(), expected.begin(), expected.end(),
                    [](int64_t dim, int64_t wanted) { return wanted < 0 || dim == wanted; });
}
}  // namespace

TF_Tensor* Context::input(int index, const char* name) {
  TF_Tensor* tensor = nullptr;
  TF_GetInput(context_, index, &tensor, status_);
  require(TF_GetCode(status_) == TF_OK, [&] { return std::string(name) + ": " + TF_Message(status_); });
  tensors_.push_back(tensor);
  return tensor;
}

template <typename T>
Input<T> Context::input(int index, const char* name, TF_DataType type, const Shape* shape) {
  const TF_Tensor* tensor = input(index, name);
  require(TF_TensorType(tensor) == type, [&] {
    return std::string(name) + " must be " + (type == TF_FLOAT ? "float32" : "int32");
  });
  const Input<T> elements = view<T>(tensor);
  require(shape == nullptr || fits(elements.shape, *shape), [&] {
    return std::string(name) + " must have shape " + list_of(*shape, "*") + ", got " + text_of(elements.shape);
  });
  return elements;
}

Input<float> Context::floats(int index, const char* name, const Shape& shape) {
  return input<float>(index, name, TF_FLOAT, &shape);
}
Input<int32_t> Context::ints(int index, const char* name, const Shape& shape) {
  return input<int32_t>(index, name, TF_INT32, &shape);
}
Input<float> Context::floats(int index, const char* name) {
  return input<float>(index, name, TF_FLOAT, nullptr);
}
Input<int32_t> Context::ints(int index, const char* name) {
  return input<int32_t>(index, name, TF_INT32, nullptr);
}

Input<int32_t> Context::words(int index, const char* name, TF_DataType* type) {
  const TF_Tensor* tensor = input(index, name);
  *type = TF_TensorType(tensor);
  require(*type == TF_FLOAT || *type == TF_INT32,
          [&] { return std::string(name) + " must be float32 or int32"; });
  return view<int32_t>(tensor);
}

void* Context::output(int index, const Shape& shape, TF_DataType type) {
  // Both types take four bytes. What does not fit the address space must not wrap around.
  int64_t size = 1;
  for (int64_t dim : shape) {
    require(dim >= 0, [&] {
      return "output " + std::to_string(index) + " would have shape " + text_of(shape);
    });
    require(!__builtin_mul_overflow(size, dim, &size) && size <= INT64_MAX / 4, [&] {
      return "output " + std::to_string(index) + " of shape " + text_of(shape) + " is too large";
    });
  }
  TF_Tensor* tensor =
      TF_AllocateOutput(context_, index, type, shape.data(), shape.size(), 4 * size, status_);
  return allocated(tensor, size);
}

void* Context::scratch(size_t bytes) {
  if (bytes == 0) return nullptr;
  // TensorFlow counts elements, here of four bytes.
  const int64_t elements = (bytes + 3) / 4;
  TF_AllocatorAttributes attributes{TF_ALLOCATOR_ATTRIBUTES_STRUCT_SIZE, 0};
  TF_Tensor* tensor = TF_AllocateTemp(context_, TF_INT32, &elements, 1, &attributes, status_);
  return allocated(tensor, elements);
}

void* Context::allocated(TF_Tensor* tensor, int64_t size) {
  if (tensor != nullptr) tensors_.push_back(tensor);
  void* const data = tensor == nullptr ? nullptr : TF_TensorData(tensor);
  if (TF_GetCode(status_) != TF_OK || (size > 0 && data == nullptr)) {
    throw OutOfMemory("out of memory for " + std::to_string(4 * size) + " bytes: " + TF_Message(status_));
  }
  return data;
}

float* Context::output_floats(int index, const Shape& shape) {
  return static_cast<float*>(output(index, shape, TF_FLOAT));
}
int32_t* Context::output_ints(int index, const Shape& shape) {
  return static_cast<int32_t*>(output(index, shape, TF_INT32));
}
int32_t* Context::output_words(int index, const Shape& shape, TF_DataType type) {
  return static_cast<int32_t*>(output(index, shape, type));
}

namespace internal {
namespace {
struct Status {
  TF_Status* status = TF_NewStatus();
  ~Status() { TF_DeleteStatus(status); }
};
}  // namespace

void fail_construction(
    TF_OpKernelConstruction* construction, const char* op, const std::exception& error) {
  Status s;
  TF_SetStatus(s.status, TF_INVALID_ARGUMENT, (std::string(op) + ": " + error.what()).c_str());
  TF_OpKernelConstruction_Failure(construction, s.status);
}

void fail(TF_OpKernelContext* context, const char* op) {
  Status s;
  const std::string prefix = std::string(op) + ": ";
  try {
    throw;
  } catch (const InvalidInput& error) {
    TF_SetStatus(s.status, TF_INVALID_ARGUMENT, (prefix + error.what()).c_str());
  } catch (const OutOfMemory& error) {
    TF_SetStatus(s.status, TF_RESOURCE_EXHAUSTED, (prefix + error.what()).c_str());
  } catch (const std::bad_alloc&) {
    TF_SetStatus(s.status, TF_RESOURCE_EXHAUSTED, (prefix + "out of memory").c_str());
  } catch (const std::exception& error) {
    TF_SetStatus(s.status, TF_INTERNAL, (prefix + error.what()).c_str());
  }
  TF_OpKernelContext_Failure(context, s.status);
}
}  // namespace internal

}  // namespace megablocks
