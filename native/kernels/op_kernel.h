// What a kernel sees of TensorFlow: its inputs, its attributes and its outputs.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "../c_api.h"

namespace megablocks {

using Shape = std::vector<int64_t>;

/// An input that does not fit: the op fails with this message, which names the op first.
struct InvalidInput : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// No memory for what the message names.
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The elements of an input, with its shape; not a copy.
template <typename T>
struct Input {
  const T* data;
  Shape shape;

  int64_t rank() const { return shape.size(); }
  /// A negative axis counts from the last.
  int64_t dim(int64_t axis) const { return shape[axis < 0 ? rank() + axis : axis]; }
  int64_t size() const;
};
extern template struct Input<float>;
extern template struct Input<int32_t>;

/// The attributes with which an op was called.
class Attributes {
 public:
  explicit Attributes(TF_OpKernelConstruction* construction);
  ~Attributes();
  /// An integer from `least` to `most`.
  int64_t integer(const char* name, int64_t least, int64_t most = INT32_MAX);
  float number(const char* name);
  bool boolean(const char* name);
  std::string word(const char* name);
  /// The place of a word in a list of choices.
  int choice(const char* name, std::initializer_list<const char*> choices);

 private:
  void check(const char* name);
  TF_OpKernelConstruction* construction_;
  TF_Status* status_;
};

/// One call of an op.
class Context {
 public:
  explicit Context(TF_OpKernelContext* context);
  ~Context();
  Context(const Context&) = delete;

  /// The input at `index`; `shape` says what it must be, -1 fitting any size.
  Input<float> floats(int index, const char* name, const Shape& shape);
  Input<int32_t> ints(int index, const char* name, const Shape& shape);
  /// As above, of any shape.
  Input<float> floats(int index, const char* name);
  Input<int32_t> ints(int index, const char* name);
  /// Elements of four bytes of either type, as bits.
  Input<int32_t> words(int index, const char* name, TF_DataType* type);

  /// A new output, whose elements are not set.
  float* output_floats(int index, const Shape& shape);
  int32_t* output_ints(int index, const Shape& shape);
  int32_t* output_words(int index, const Shape& shape, TF_DataType type);

  /// Memory of the device for the time of the call; null for no bytes.
  void* scratch(size_t bytes);
  TF_OpKernelContext* handle() const { return context_; }

  /// A message is a function, since to write it takes longer than the check.
  ///
  /// @throws InvalidInput With message(), unless the condition holds.
  template <typename Message>
  void require(bool condition, Message message) const {
    if (!condition) throw InvalidInput(message());
  }

 private:
  TF_Tensor* input(int index, const char* name);
  template <typename T>
  Input<T> input(int index, const char* name, TF_DataType type, const Shape* shape);
  void* output(int index, const Shape& shape, TF_DataType type);
  /// The elements of a tensor that TensorFlow was asked for, which lives as long as this; null where there are none.
  ///
  /// @throws OutOfMemory If TensorFlow did not give it.
  void* allocated(TF_Tensor* tensor, int64_t size);

  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> tensors_;
};

int64_t size_of(const Shape& shape);
std::string text_of(const Shape& shape);

/// How a kernel is known to TensorFlow.
struct KernelEntry {
  const char* op;
  void* (*create)(TF_OpKernelConstruction*);
  void (*compute)(void*, TF_OpKernelContext*);
  void (*destroy)(void*);
};

namespace internal {
void fail_construction(TF_OpKernelConstruction*, const char* op, const std::exception&);
void fail(TF_OpKernelContext*, const char* op);
}  // namespace internal

/// The kernel `compute(context, attrs)` of an op; `Attrs` is made of Attributes once for each set of
/// them. `Name::value()` is the op's name.
template <typename Name, typename Attrs, void (*compute)(Context&, const Attrs&)>
KernelEntry kernel() {
  struct Functions {
    static void* create(TF_OpKernelConstruction* construction) {
      try {
        Attributes attributes(construction);
        return new Attrs(attributes);
      } catch (const std::exception& error) {
        internal::fail_construction(construction, Name::value(), error);
        return nullptr;
      }
    }
    static void run(void* attrs, TF_OpKernelContext* tf_context) {
      try {
        Context context(tf_context);
        compute(context, *static_cast<const Attrs*>(attrs));
      } catch (...) {
        internal::fail(tf_context, Name::value());
      }
    }
    static void destroy(void* attrs) { delete static_cast<Attrs*>(attrs); }
  };
  return {Name::value(), Functions::create, Functions::run, Functions::destroy};
}

/// Of an op without attributes.
struct NoAttrs {
  explicit NoAttrs(Attributes&) {}
};

/// MEGABLOCKS_KERNEL(Foo, FooAttrs, foo) is the entry of the op MegaBlocksFoo.
#define MEGABLOCKS_KERNEL(Name, Attrs, compute)                             \
  ([] {                                                                     \
    struct OpName {                                                         \
      static constexpr const char* value() { return "MegaBlocks" #Name; }   \
    };                                                                      \
    return ::megablocks::kernel<OpName, Attrs, compute>();                  \
  }())

}  // namespace megablocks
