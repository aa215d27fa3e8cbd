/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file memhook.hpp
 * Owners for C++: a scope, an allocator, a memory resource.
 *
 * Header only, C++11 and later; the resource needs C++17.  Works in both
 * builds of the library: in the passthrough the same blocks come from the C
 * library, charged to nobody.
 *
 * An owner is what memhook_owner_create() gave.  A block is charged to the
 * owner of the allocator or resource that made it, whatever scope the thread
 * is in, and its release is credited to that owner on any thread: also after
 * the container was moved or swapped, after the owner was retired, and when
 * another allocator or resource of this header releases it.
 *
 * Thread-safety: an allocator or a resource may be used by any number of
 * threads at once.  A scope belongs to the thread that made it.
 */
#ifndef MEMHOOK_HPP
#define MEMHOOK_HPP

#if __cplusplus < 201103L
#error "memhook.hpp needs C++11 or later"
#endif

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>
#include <type_traits>

#if __cplusplus >= 201703L
#if __has_include(<memory_resource>)
#include <memory_resource>
#define MEMHOOK_PMR 1
#endif
#define MEMHOOK_NODISCARD [[nodiscard]]
#else
#define MEMHOOK_NODISCARD
#endif

#include <memhook.h>

namespace memhook {

/**
 * Charges what this thread allocates to `owner` for as long as it lives, and
 * returns to what was before: by return, by exception.  Scopes nest; they end
 * in the opposite order, which automatic variables do.  A retired owner
 * charges nobody.
 *
 *     memhook::scope in(db_cache);
 *
 * Since: 0.1.0
 */
class MEMHOOK_NODISCARD scope {
public:
	explicit scope(memhook_owner owner) noexcept : previous_(memhook_enter(owner)) {}
	~scope() { memhook_leave(previous_); }
	scope(const scope &) = delete;
	scope &operator=(const scope &) = delete;

private:
	memhook_owner previous_;
};

/* Not for others: how the allocator and the resource get their blocks. */
namespace detail {

/*
 * The same in every language version, so that files built as C++11 and as
 * C++17 may free each other's blocks: operator new has no alignment in C++11.
 */
inline bool over_aligned(std::size_t alignment) noexcept
{
	return alignment > alignof(std::max_align_t);
}

/* As operator new does it: the handler may find memory, or throw. */
inline void *aligned_block(std::size_t size, std::size_t alignment)
{
	void *block = nullptr;
	int error;

	while ((error = posix_memalign(&block, alignment, size ? size : 1)) != 0) {
		std::new_handler handler = std::get_new_handler();

		if (error != ENOMEM || !handler)
			throw std::bad_alloc();
		handler();
	}
	return block;
}

inline void *allocate(memhook_owner owner, std::size_t size, std::size_t alignment)
{
	scope in(owner);

	return over_aligned(alignment) ? aligned_block(size, alignment) :
					 ::operator new(size);
}

inline void deallocate(void *block, std::size_t alignment) noexcept
{
	if (over_aligned(alignment))
		std::free(block);
	else
		::operator delete(block);
}

} // namespace detail

/**
 * A standard allocator that charges `owner()`.  There is none without an
 * owner: a container that was not given one does not compile.
 *
 *     std::vector<row, memhook::allocator<row>> rows(memhook::allocator<row>(db));
 *
 * Any two are equal, since each can release what the other allocated: moving,
 * swapping and splicing never copies an element.  A container keeps the owner
 * that it was built with (nothing propagates, as with std::pmr); blocks that
 * come to it from another container stay charged to the one that made them.
 * A copy of a container has the owner of the original, unless another is given.
 *
 * allocate() throws std::bad_array_new_length when the size overflows and
 * std::bad_alloc when memory or the owner's hard limit has run out.
 * Since: 0.1.0
 */
template <class T> class allocator {
public:
	using value_type = T;
	using size_type = std::size_t;
	using difference_type = std::ptrdiff_t;
	using is_always_equal = std::true_type;
	using propagate_on_container_copy_assignment = std::false_type;
	using propagate_on_container_move_assignment = std::false_type;
	using propagate_on_container_swap = std::false_type;

	explicit allocator(memhook_owner owner) noexcept : owner_(owner) {}
	template <class U>
	allocator(const allocator<U> &other) noexcept : owner_(other.owner()) {}

	MEMHOOK_NODISCARD T *allocate(std::size_t n)
	{
		if (n > std::numeric_limits<std::size_t>::max() / sizeof(T))
			throw std::bad_array_new_length();
		return static_cast<T *>(
			detail::allocate(owner_, n * sizeof(T), alignof(T)));
	}

	void deallocate(T *block, std::size_t) noexcept
	{
		detail::deallocate(block, alignof(T));
	}

	memhook_owner owner() const noexcept { return owner_; }

private:
	memhook_owner owner_;
};

template <class T, class U>
bool operator==(const allocator<T> &, const allocator<U> &) noexcept
{
	return true;
}

template <class T, class U>
bool operator!=(const allocator<T> &, const allocator<U> &) noexcept
{
	return false;
}

#ifdef MEMHOOK_PMR
/**
 * A std::pmr::memory_resource that charges `owner()`.  It must outlive the
 * containers that use it; the blocks need nothing of it.
 *
 *     memhook::resource db(memhook_owner_create("db"));
 *     std::pmr::vector<row> rows(&db);
 *
 * Any two are equal, as allocators are.  (Without run-time type information
 * only a resource and itself.)  Since: 0.1.0
 */
class resource final : public std::pmr::memory_resource {
public:
	explicit resource(memhook_owner owner) noexcept : owner_(owner) {}
	memhook_owner owner() const noexcept { return owner_; }

private:
	void *do_allocate(std::size_t size, std::size_t alignment) override
	{
		return detail::allocate(owner_, size, alignment);
	}

	void do_deallocate(void *block, std::size_t, std::size_t alignment) override
	{
		detail::deallocate(block, alignment);
	}

	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
#ifdef __cpp_rtti
		return dynamic_cast<const resource *>(&other) != nullptr;
#else
		return this == &other;
#endif
	}

	memhook_owner owner_;
};
#endif

} // namespace memhook

#undef MEMHOOK_NODISCARD

#endif /* MEMHOOK_HPP */
