/* SPDX-License-Identifier: BSD-2-Clause */
/* new and delete that do not belong together. */
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>

#include "misuse.h"

namespace {

struct alignas(64) aligned {
	char bytes[64];
};

struct nine {
	size_t words[9];
};

/* Objects that delete[] has to count. */
struct counted {
	char *volatile memory = nullptr;
	~counted() { memory = nullptr; }
};

/* The address of a T, whatever lies there, and nothing that gcc knows. */
template <typename T> T *at(void *block)
{
	p = static_cast<char *>(block);
	return reinterpret_cast<T *>(p);
}

outcome malloc_delete(size_t)
{
	delete at<char>(malloc(100));
	return WENT_ON;
}

outcome malloc_delete_array(size_t)
{
	delete[] at<char>(malloc(100));
	return WENT_ON;
}

outcome new_free(size_t)
{
	free(at<char>(new char));
	return WENT_ON;
}

outcome new_array_free(size_t)
{
	free(at<char>(new char[100]));
	return WENT_ON;
}

outcome new_delete_array(size_t)
{
	delete[] at<char>(new char);
	return WENT_ON;
}

outcome new_array_delete(size_t size)
{
	delete at<char>(new char[size]);
	return WENT_ON;
}

outcome new_realloc(size_t)
{
	p = static_cast<char *>(realloc(at<char>(new char[100]), 200));
	return WENT_ON;
}

outcome counted_array_delete(size_t)
{
	delete at<counted>(new counted[10]);
	return WENT_ON;
}

outcome counted_array_free(size_t)
{
	free(at<counted>(new counted[10]));
	return WENT_ON;
}

outcome larger_type(size_t)
{
	delete at<nine>(new char);
	return WENT_ON;
}

outcome smaller_type(size_t)
{
	delete at<char>(new nine);
	return WENT_ON;
}

outcome sized_array(size_t)
{
	::operator delete[](at<void>(::operator new[](100)), size_t(99));
	return WENT_ON;
}

outcome delete_twice(size_t)
{
	delete at<int>(new int);
	delete reinterpret_cast<int *>(p);
	return WENT_ON;
}

outcome delete_array_twice(size_t size)
{
	delete[] at<char>(new char[size]);
	delete[] reinterpret_cast<char *>(p);
	return WENT_ON;
}

outcome delete_after_free(size_t)
{
	free(at<char>(malloc(100)));
	delete reinterpret_cast<char *>(p);
	return WENT_ON;
}

outcome delete_of_static(size_t)
{
	alignas(64) static char memory[256];

	delete at<char>(memory + 64);
	return WENT_ON;
}

outcome delete_inside(size_t)
{
	new (at<char>(calloc(1, 200))) char;
	delete reinterpret_cast<char *>(p + 32);
	return WENT_ON;
}

outcome delete_of_second_base(size_t)
{
	delete at<nine>(reinterpret_cast<size_t *>(new nine) + 1);
	return WENT_ON;
}

outcome aligned_free(size_t)
{
	free(at<aligned>(new aligned));
	return WENT_ON;
}

outcome aligned_array_delete(size_t)
{
	delete at<aligned>(new aligned[4]);
	return WENT_ON;
}

outcome zero_elements(size_t size)
{
	p = new char[size - size];
	q = reinterpret_cast<char *>(static_cast<uintptr_t>(p[0]));
	return WENT_ON;
}

outcome negative_size(size_t size)
{
	volatile size_t n = -size;

	try {
		p = static_cast<char *>(::operator new[](n));
	} catch (const std::bad_alloc &) {
		return REFUSED;
	}
	return WENT_ON;
}

outcome string_used_after_delete(size_t)
{
	std::string *s = at<std::string>(new std::string(100, 'x'));

	q = s->data();
	delete s;
	q[50] = 'y';
	time_goes_by(101);
	return WENT_ON;
}

} /* namespace */

const struct misuse operators[] = {
	{ "delete-of-malloc", malloc_delete, 0 },
	{ "delete-array-of-malloc", malloc_delete_array, 0 },
	{ "free-of-new", new_free, 0 },
	{ "free-of-new-array", new_array_free, 0 },
	{ "delete-array-of-new", new_delete_array, 0 },
	{ "delete-of-new-array", new_array_delete, 1 },
	{ "realloc-of-new-array", new_realloc, 0 },
	{ "delete-of-counted-array", counted_array_delete, 0 },
	{ "free-of-counted-array", counted_array_free, 0 },
	{ "delete-as-a-larger-type", larger_type, 0 },
	{ "delete-as-a-smaller-type", smaller_type, 0 },
	{ "delete-array-of-wrong-size", sized_array, 0 },
	{ "delete-twice", delete_twice, 0 },
	{ "delete-array-twice", delete_array_twice, 1 },
	{ "delete-after-free", delete_after_free, 0 },
	{ "delete-of-static", delete_of_static, 0 },
	{ "delete-inside", delete_inside, 0 },
	{ "delete-of-a-second-base", delete_of_second_base, 0 },
	{ "free-of-aligned-new", aligned_free, 0 },
	{ "delete-of-aligned-new-array", aligned_array_delete, 0 },
	{ "new-array-of-nothing-read", zero_elements, 1 },
	{ "new-array-of-negative-size", negative_size, 1 },
	{ "string-used-after-delete", string_used_after_delete, 0 },
	{ nullptr, nullptr, 0 },
};
